package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	packetsPerFrame = 5
	framesPerSecond = 30
	payloadBytes    = 1170
)

// send gives every viewer the same packets through one track: Pion's own way to fan out. It sends while
// it is told to: "go" and "stop" on standard input, "count" prints how many frames there were.
func send(arguments []string) error {
	flags := flag.NewFlagSet("send", flag.ExitOnError)
	address := flags.String("bind", "127.0.0.1:0", "the address of the WHEP endpoint")
	_ = flags.Parse(arguments)
	api, err := sending()
	if err != nil {
		return err
	}
	vp8 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	track, err := webrtc.NewTrackLocalStaticRTP(vp8, "video", "pion")
	if err != nil {
		return err
	}
	var stamps extensions
	s := &server{api: api, accept: func(pc *webrtc.PeerConnection) error { return stamps.add(pc, track) }}
	endpoint, err := s.serve(*address)
	if err != nil {
		return err
	}
	say(map[string]string{"url": endpoint})

	var going atomic.Bool
	var frames atomic.Int64
	go pace(track, &stamps, &going, &frames)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "go":
			going.Store(true)
		case "stop":
			going.Store(false)
		case "count":
			say(map[string]int64{"frames": frames.Load()})
		default:
			return fmt.Errorf("go, stop or count, not %q", lines.Text())
		}
	}
	return lines.Err()
}

func pace(track *webrtc.TrackLocalStaticRTP, stamps *extensions, going *atomic.Bool, frames *atomic.Int64) {
	payload := make([]byte, payloadBytes)
	sequence := uint16(0)
	for range time.Tick(time.Second / framesPerSecond) {
		if !going.Load() {
			continue
		}
		frame := frames.Add(1)
		for index := range packetsPerFrame {
			header := rtp.Header{
				Version: 2, Marker: index == packetsPerFrame-1, SequenceNumber: sequence,
				Timestamp: uint32(frame) * 90000 / framesPerSecond,
			}
			stamps.write(&header, index == 0, time.Now())
			sequence++
			// A viewer that is going is no reason to stop for the others.
			_ = track.WriteRTP(&rtp.Packet{Header: header, Payload: payload})
		}
	}
}

// extensions are the numbers of the header extensions about time, 0 where not negotiated. All viewers
// of a run offer alike, so one number serves them all.
type extensions struct{ capture, delay atomic.Int32 }

// add gives pc the track, and learns the numbers once they are known.
func (e *extensions) add(pc *webrtc.PeerConnection, track webrtc.TrackLocal) error {
	sender, err := pc.AddTrack(track)
	if err != nil {
		return err
	}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			e.learn(sender)
		}
	})
	// What viewers report has to be read, or the interceptors see none of it.
	go func() {
		for {
			if _, _, err := sender.ReadRTCP(); err != nil {
				return
			}
		}
	}()
	return nil
}

// learn takes the numbers from what was negotiated.
func (e *extensions) learn(sender *webrtc.RTPSender) {
	for _, extension := range sender.GetParameters().HeaderExtensions {
		switch extension.URI {
		case absCaptureTime:
			e.capture.Store(int32(extension.ID))
		case playoutDelay:
			e.delay.Store(int32(extension.ID))
		}
	}
}

// write says that the picture is to be shown at once, and in the first packet of a frame when it was captured.
func (e *extensions) write(header *rtp.Header, first bool, captured time.Time) {
	if id := e.delay.Load(); id != 0 {
		_ = header.SetExtension(uint8(id), []byte{0, 0, 0})
	}
	if id := e.capture.Load(); id != 0 && first {
		_ = header.SetExtension(uint8(id), binary.BigEndian.AppendUint64(nil, ntp(captured)))
	}
}

// ntp is t in seconds since 1900, 32 bits of them and 32 of fraction (RFC 5905).
func ntp(t time.Time) uint64 {
	const from1900To1970 = 2208988800
	return uint64(t.Unix()+from1900To1970)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}
