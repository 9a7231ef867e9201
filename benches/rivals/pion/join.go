package main

import (
	"flag"
	"math/rand"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// patience is how long a join may take before the run is given up.
const patience = 20 * time.Second

// steps are the moments of a join, in milliseconds after the POST was begun.
type steps struct {
	Answer      float64 `json:"answer"`
	ICE         float64 `json:"ice_connected"`
	DTLS        float64 `json:"dtls_done"`
	FirstPacket float64 `json:"first_packet"`
	KeyFrame    float64 `json:"key_frame"`
	Packets     int     `json:"key_frame_packets"`
}

func join(arguments []string) error {
	flags := flag.NewFlagSet("join", flag.ExitOnError)
	endpoint := flags.String("url", "http://127.0.0.1:8080/whep", "the WHEP endpoint")
	count := flags.Int("count", 30, "joins")
	seed := flags.Int64("seed", 1, "of the pauses before each join")
	least := flags.Duration("least", 500*time.Millisecond, "the shortest pause")
	most := flags.Duration("most", 1500*time.Millisecond, "the longest pause")
	sound := flags.Bool("sound", true, "ask for sound as well")
	_ = flags.Parse(arguments)
	api, err := viewing()
	if err != nil {
		return err
	}
	random := rand.New(rand.NewSource(*seed))
	for range *count {
		time.Sleep(*least + time.Duration(random.Int63n(int64(*most-*least)+1)))
		reached, err := joinOnce(api, *endpoint, *sound)
		if err != nil {
			return err
		}
		say(reached)
	}
	return nil
}

func joinOnce(api *webrtc.API, endpoint string, sound bool) (steps, error) {
	pc, err := offer(api, sound)
	if err != nil {
		return steps{}, err
	}
	var (
		lock    sync.Mutex
		reached steps
		start   time.Time
		done    = make(chan struct{})
	)
	reach := func(step *float64) {
		at := time.Since(start)
		lock.Lock()
		defer lock.Unlock()
		if *step == 0 {
			*step = float64(at.Microseconds()) / 1000
		}
	}
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			reach(&reached.ICE)
		}
	})
	pc.GetTransceivers()[0].Receiver().Transport().OnStateChange(func(state webrtc.DTLSTransportState) {
		if state == webrtc.DTLSTransportStateConnected {
			reach(&reached.DTLS)
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if track.Kind() != webrtc.RTPCodecTypeVideo {
			return
		}
		frame := keyFrame{}
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			reach(&reached.FirstPacket)
			if frame.complete(packet) {
				reach(&reached.KeyFrame)
				lock.Lock()
				reached.Packets = frame.packets
				lock.Unlock()
				close(done)
				return
			}
		}
	})
	start = time.Now()
	v, err := post(pc, endpoint, func() { reach(&reached.Answer) })
	if err != nil {
		return steps{}, err
	}
	if _, err := wait(done, patience); err != nil {
		return steps{}, err
	}
	// The states are told by other goroutines; by the key frame they have been, but for a moment.
	time.Sleep(50 * time.Millisecond)
	if err := v.leave(); err != nil {
		return steps{}, err
	}
	lock.Lock()
	defer lock.Unlock()
	return reached, nil
}

// keyFrame waits for the first whole key frame of VP8 (RFC 7741): all packets from the one it starts
// with to the one with the marker, without a hole.
type keyFrame struct {
	packets int
	next    uint16
}

func (k *keyFrame) complete(packet *rtp.Packet) bool {
	if k.packets > 0 && packet.SequenceNumber != k.next {
		k.packets = 0
	}
	if startsKeyFrame(packet.Payload) {
		k.packets = 0
	} else if k.packets == 0 {
		return false
	}
	k.packets++
	k.next = packet.SequenceNumber + 1
	return packet.Marker
}

// startsKeyFrame reads the payload descriptor (section 4.2) and the first byte of the frame, whose
// lowest bit is 0 in a key frame (RFC 6386, section 9.1).
func startsKeyFrame(payload []byte) bool {
	if len(payload) < 1 || payload[0]&0x17 != 0x10 { // S = 1, partition 0
		return false
	}
	at := 1
	if payload[0]&0x80 != 0 && len(payload) > at {
		extension := payload[at]
		at++
		if extension&0x80 != 0 && len(payload) > at { // picture ID, in one byte or two
			if payload[at]&0x80 != 0 {
				at++
			}
			at++
		}
		if extension&0x40 != 0 {
			at++
		}
		if extension&0x30 != 0 {
			at++
		}
	}
	return len(payload) > at && payload[at]&1 == 0
}
