package main

import (
	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

const (
	absCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	playoutDelay   = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
)

// media knows what a browser offers and Millstream sends: VP8 with retransmission, Opus, and the two
// header extensions about time.
func media() (*webrtc.MediaEngine, error) {
	engine := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	vp8 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: feedback}
	rtx := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=96"}
	opus := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}
	for _, codec := range []struct {
		capability webrtc.RTPCodecCapability
		payload    webrtc.PayloadType
		kind       webrtc.RTPCodecType
	}{
		{vp8, 96, webrtc.RTPCodecTypeVideo}, {rtx, 97, webrtc.RTPCodecTypeVideo}, {opus, 111, webrtc.RTPCodecTypeAudio},
	} {
		parameters := webrtc.RTPCodecParameters{RTPCodecCapability: codec.capability, PayloadType: codec.payload}
		if err := engine.RegisterCodec(parameters, codec.kind); err != nil {
			return nil, err
		}
	}
	for _, uri := range []string{absCaptureTime, playoutDelay} {
		extension := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := engine.RegisterHeaderExtension(extension, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	return engine, nil
}

// settings bind to loopback alone, and allow only the SRTP profile that Chromium chose with each of the
// senders.
func settings() webrtc.SettingEngine {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelError
	settings.LoggerFactory = quiet
	return settings
}

// viewing is an API for viewers: they repair losses and report, as browsers do.
func viewing() (*webrtc.API, error) {
	engine, err := media()
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if err := webrtc.ConfigureNack(engine, registry); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings()),
	), nil
}

// sending is an API for senders, with Pion's default interceptors.
func sending() (*webrtc.API, error) {
	engine, err := media()
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(engine, registry); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings()),
	), nil
}
