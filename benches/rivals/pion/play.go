package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// got is what arrived, by kind, or why nothing did.
type got struct {
	Video   int64  `json:"video"`
	Audio   int64  `json:"audio"`
	Refused int    `json:"refused,omitempty"`
	Words   string `json:"words,omitempty"`
	Version string `json:"version"`
}

// play is a WHEP player as Pion's users write it: all default codecs, the default interceptors. Pictures count
// from the first whole key frame on.
func play(arguments []string) error {
	flags := flag.NewFlagSet("play", flag.ExitOnError)
	endpoint := flags.String("url", "http://127.0.0.1:8080/whep", "the WHEP endpoint")
	kinds := flags.String("offer", "video,audio", "what is offered")
	want := flags.String("want", "video,audio", "what is waited for")
	both := flags.Bool("sendrecv", false, "offer without a direction: to send as well")
	_ = flags.Parse(arguments)
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	var count struct{ video, audio atomic.Int64 }
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		start, playing := keyFrame{}, track.Kind() == webrtc.RTPCodecTypeAudio
		for {
			packet, _, err := track.ReadRTP()
			switch {
			case err != nil:
				return
			case !playing:
				playing = start.complete(packet)
			case track.Kind() == webrtc.RTPCodecTypeAudio:
				count.audio.Add(1)
			case packet.Marker:
				count.video.Add(1)
			}
		}
	})
	for _, kind := range words(*kinds) {
		direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
		if *both {
			direction.Direction = webrtc.RTPTransceiverDirectionSendrecv
		}
		if _, err := pc.AddTransceiverFromKind(webrtc.NewRTPCodecType(kind), direction); err != nil {
			return err
		}
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	description, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := pc.SetLocalDescription(description); err != nil {
		return err
	}
	<-gathered
	response, err := http.Post(*endpoint, "application/sdp", bytes.NewBufferString(pc.LocalDescription().SDP))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		var problem struct{ Detail string }
		_ = json.Unmarshal(answer, &problem)
		say(got{Refused: response.StatusCode, Words: problem.Detail, Version: version()})
		return nil
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		return err
	}
	enough := func() bool {
		for _, kind := range words(*want) {
			if kind == "video" && count.video.Load() < 50 || kind == "audio" && count.audio.Load() < 50 {
				return false
			}
		}
		return *want != ""
	}
	for end := time.Now().Add(15 * time.Second); !enough() && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	// For what comes though nobody asked for it.
	time.Sleep(time.Second)
	say(got{Video: count.video.Load(), Audio: count.audio.Load(), Version: version()})
	if base, err := url.Parse(*endpoint); err == nil {
		if session, err := base.Parse(response.Header.Get("Location")); err == nil {
			return (&viewer{pc, session.String()}).leave()
		}
	}
	return pc.Close()
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// version of Pion, as the program was built with it.
func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/pion/webrtc/v4" {
			return module.Version
		}
	}
	return "unknown"
}
