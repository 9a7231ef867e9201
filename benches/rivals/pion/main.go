// Pion beside Millstream: a viewer that times how it joins, a receiver that counts what many viewers
// get, and senders of the kinds that Millstream is measured against. Each prints JSON, one object a line.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: pion WHAT [flags]
  join      joins again and again, and says when each step of joining was reached
  watch     joins once, and says when each frame had arrived
  receive   joins with many viewers and counts the packets they get
  play      plays what is offered, and counts it
  send      sends the same five packets per frame to every viewer that joins
  picture   encodes a picture with libvpx and sends it to whoever joins
pion WHAT -h lists the flags.`

func main() {
	commands := map[string]func([]string) error{"join": join, "watch": watch, "receive": receive, "play": play, "send": send, "picture": picture}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	// Ctrl-C ends the whole process: there is nothing to put away.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(130)
	}()
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "pion:", err)
		os.Exit(1)
	}
}

// say prints one JSON object.
func say(object any) {
	line, err := json.Marshal(object)
	if err != nil {
		panic(err) // only plain values are said
	}
	fmt.Println(string(line))
}
