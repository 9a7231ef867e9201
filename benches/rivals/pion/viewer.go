package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/pion/webrtc/v4"
)

// viewer is a WHEP player: it offers to receive, posts the offer, and takes the answer.
type viewer struct {
	pc      *webrtc.PeerConnection
	session string
}

// offer opens a connection that wants a picture and, if asked, sound.
func offer(api *webrtc.API, sound bool) (*webrtc.PeerConnection, error) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	kinds := []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}
	if sound {
		kinds = append(kinds, webrtc.RTPCodecTypeAudio)
	}
	for _, kind := range kinds {
		only := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
		if _, err := pc.AddTransceiverFromKind(kind, only); err != nil {
			return nil, err
		}
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	description, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	if err := pc.SetLocalDescription(description); err != nil {
		return nil, err
	}
	<-gathered
	return pc, nil
}

// post sends the offer of pc to the WHEP endpoint; answered runs between the answer and what follows from it.
func post(pc *webrtc.PeerConnection, endpoint string, answered func()) (*viewer, error) {
	response, err := http.Post(endpoint, "application/sdp", bytes.NewBufferString(pc.LocalDescription().SDP))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("%s: %s: %s", endpoint, response.Status, answer)
	}
	answered()
	base, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	session, err := base.Parse(response.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}
	return &viewer{pc, session.String()}, pc.SetRemoteDescription(remote)
}

// leave tells the sender, and closes.
func (v *viewer) leave() error {
	request, err := http.NewRequest(http.MethodDelete, v.session, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		response.Body.Close()
	}
	return errors.Join(err, v.pc.Close())
}

// wait gives what comes first: a value, or the end of patience.
func wait[T any](values <-chan T, patience time.Duration) (T, error) {
	select {
	case value := <-values:
		return value, nil
	case <-time.After(patience):
		var none T
		return none, fmt.Errorf("nothing came within %v", patience)
	}
}
