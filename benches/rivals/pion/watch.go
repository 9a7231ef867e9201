package main

import (
	"flag"
	"time"

	"github.com/pion/webrtc/v4"
)

// arrival is a frame whose last packet was read.
type arrival struct {
	RTP     uint32 `json:"rtp"`
	Arrived int64  `json:"arrived"` // nanoseconds of Unix time
}

func watch(arguments []string) error {
	flags := flag.NewFlagSet("watch", flag.ExitOnError)
	endpoint := flags.String("url", "http://127.0.0.1:8080/whep", "the WHEP endpoint")
	frames := flags.Int("frames", 300, "how many")
	_ = flags.Parse(arguments)
	api, err := viewing()
	if err != nil {
		return err
	}
	pc, err := offer(api, false)
	if err != nil {
		return err
	}
	arrivals := make(chan arrival, *frames)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			now := time.Now().UnixNano()
			if err != nil {
				return
			}
			if packet.Marker {
				arrivals <- arrival{packet.Timestamp, now}
			}
		}
	})
	v, err := post(pc, *endpoint, func() {})
	if err != nil {
		return err
	}
	for range *frames {
		frame, err := wait(arrivals, patience)
		if err != nil {
			return err
		}
		say(frame)
	}
	return v.leave()
}
