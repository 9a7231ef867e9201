package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

// server answers WHEP offers on a port of loopback, each by a connection that accept fills with tracks.
type server struct {
	api    *webrtc.API
	accept func(*webrtc.PeerConnection) error
	last   atomic.Int64
	open   sync.Map // session number as text to *webrtc.PeerConnection
}

// serve binds address and gives the endpoint's URL.
func (s *server) serve(address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /whep", s.post)
	routes.HandleFunc("DELETE /whep/{session}", s.delete)
	routes.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "{}") })
	go func() { _ = http.Serve(listener, routes) }()
	return fmt.Sprintf("http://%s/whep", listener.Addr()), nil
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	answer, session, err := s.answer(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/whep/"+session)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.Copy(w, strings.NewReader(answer))
}

func (s *server) answer(body io.Reader) (answer, session string, err error) {
	offer, err := io.ReadAll(body)
	if err != nil {
		return "", "", err
	}
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", "", err
	}
	defer func() {
		if err != nil {
			_ = pc.Close()
		}
	}()
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}
	if err := pc.SetRemoteDescription(remote); err != nil {
		return "", "", err
	}
	if err := s.accept(pc); err != nil {
		return "", "", err
	}
	local, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(local); err != nil {
		return "", "", err
	}
	<-gathered
	session = fmt.Sprint(s.last.Add(1))
	s.open.Store(session, pc)
	return pc.LocalDescription().SDP, session, nil
}

func (s *server) delete(_ http.ResponseWriter, r *http.Request) {
	if pc, found := s.open.LoadAndDelete(r.PathValue("session")); found {
		_ = pc.(*webrtc.PeerConnection).Close()
	}
}
