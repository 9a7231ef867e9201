package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

// audience is all viewers of one sender.
type audience struct {
	viewers []*viewer
	packets atomic.Int64
	frames  atomic.Int64
}

// receive joins as many viewers as it is told to on standard input, `join URL COUNT`, and says what
// they have got together, `count URL`. Each line is answered by one.
func receive(arguments []string) error {
	flags := flag.NewFlagSet("receive", flag.ExitOnError)
	_ = flags.Parse(arguments)
	api, err := viewing()
	if err != nil {
		return err
	}
	audiences := map[string]*audience{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			return fmt.Errorf("join URL COUNT or count URL, not %q", lines.Text())
		}
		of := audiences[words[1]]
		if of == nil {
			of = &audience{}
			audiences[words[1]] = of
		}
		switch words[0] {
		case "join":
			var count int
			if len(words) != 3 {
				return fmt.Errorf("join URL COUNT, not %q", lines.Text())
			}
			if _, err := fmt.Sscan(words[2], &count); err != nil {
				return err
			}
			for len(of.viewers) < count {
				if err := of.join(api, words[1]); err != nil {
					return err
				}
			}
			say(map[string]int{"viewers": len(of.viewers)})
		case "count":
			say(map[string]int64{"packets": of.packets.Load(), "frames": of.frames.Load()})
		default:
			return fmt.Errorf("join or count, not %q", words[0])
		}
	}
	return lines.Err()
}

// join adds a viewer, and waits until it is connected.
func (a *audience) join(api *webrtc.API, endpoint string) error {
	pc, err := offer(api, false)
	if err != nil {
		return err
	}
	connected := make(chan struct{}, 1)
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			connected <- struct{}{}
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		buffer := make([]byte, 1500)
		for {
			size, _, err := track.Read(buffer)
			if err != nil {
				return
			}
			a.packets.Add(1)
			// The marker ends a frame (RFC 7741, section 4.1).
			if size > 1 && buffer[1]&0x80 != 0 {
				a.frames.Add(1)
			}
		}
	})
	v, err := post(pc, endpoint, func() {})
	if err != nil {
		return err
	}
	a.viewers = append(a.viewers, v)
	_, err = wait(connected, patience)
	return err
}
