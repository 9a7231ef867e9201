//go:build vpx

package main

import (
	"flag"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

const (
	width, height = 1280, 720
	luma          = width * height
	pictureBytes  = luma * 3 / 2
	mtu           = 1200
	// A little under 30 a second, as in benches/latency/clip.rs.
	period = 10 * time.Second / 299
)

// picture sends a clip, encoded with the settings that all senders have, with its capture time burned in.
func picture(arguments []string) error {
	flags := flag.NewFlagSet("picture", flag.ExitOnError)
	clip := flags.String("clip", "", "pictures of 1280x720, I420, one after the other")
	kbps := flags.Uint("kbps", 1500, "the bit rate")
	_ = flags.Parse(arguments)
	pictures, err := os.ReadFile(*clip)
	if err != nil {
		return err
	}
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
	var wanted, started atomic.Bool
	accept := func(pc *webrtc.PeerConnection) error {
		sender, err := pc.AddTrack(track)
		if err != nil {
			return err
		}
		go wishes(sender, &wanted)
		pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
			if state == webrtc.PeerConnectionStateConnected {
				stamps.learn(sender)
				wanted.Store(true)
				started.Store(true)
			}
		})
		return nil
	}
	s := &server{api: api, accept: accept}
	endpoint, err := s.serve("127.0.0.1:0")
	if err != nil {
		return err
	}
	say(map[string]string{"url": endpoint})
	go func() {
		if err := play(track, &stamps, pictures, *kbps, &wanted, &started); err != nil {
			say(map[string]string{"error": err.Error()})
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// wishes notes that a key frame is wanted.
func wishes(sender *webrtc.RTPSender, wanted *atomic.Bool) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				wanted.Store(true)
			}
		}
	}
}

func play(
	track *webrtc.TrackLocalStaticRTP, stamps *extensions, pictures []byte, kbps uint, wanted, started *atomic.Bool,
) error {
	encoder, err := newEncoder(kbps)
	if err != nil {
		return err
	}
	packetizer := rtp.NewPacketizer(
		mtu, 0, 0, &codecs.VP8Payloader{EnablePictureID: true}, rtp.NewRandomSequencer(), 90000,
	)
	one := make([]byte, pictureBytes)
	begin := time.Now()
	for count := 0; ; count++ {
		due := begin.Add(time.Duration(count) * period)
		time.Sleep(time.Until(due))
		if !started.Load() {
			continue
		}
		at := count * pictureBytes % (len(pictures) / pictureBytes * pictureBytes)
		copy(one, pictures[at:at+pictureBytes])
		captured := time.Now()
		stamp(one, uint32(captured.UnixMilli()))
		frame, err := encoder.encode(one, captured.Sub(begin), wanted.Swap(false))
		if err != nil {
			return err
		}
		for index, packet := range packetizer.Packetize(frame, 0) {
			packet.Timestamp = uint32(captured.Sub(begin) * 90000 / time.Second)
			stamps.write(&packet.Header, index == 0, captured)
			_ = track.WriteRTP(packet)
		}
	}
}

// stamp burns in the time of capture, as crates/millstream-stages/src/timecode.rs does.
func stamp(picture []byte, millis uint32) {
	const cells, cell, rows = 42, 16, 16
	check := byte(millis>>24) ^ byte(millis>>16) ^ byte(millis>>8) ^ byte(millis)
	bits := uint64(0b10)<<40 | uint64(millis)<<8 | uint64(check)
	for row := range rows {
		for column := range cells * cell {
			value := byte(16)
			if bits>>(cells-1-column/cell)&1 == 1 {
				value = 235
			}
			picture[row*width+column] = value
		}
	}
	for _, plane := range []int{luma, luma + luma/4} {
		for row := range rows / 2 {
			for column := range cells * cell / 2 {
				picture[plane+row*width/2+column] = 128
			}
		}
	}
}
