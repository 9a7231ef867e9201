//go:build vpx

package main

// #cgo LDFLAGS: -lvpx
// #include <stdlib.h>
// #include <string.h>
// #include <vpx/vp8cx.h>
// #include <vpx/vpx_encoder.h>
//
// // One picture into the encoder; the size of the frame that comes out, or a negative error.
// // The controls are variadic macros in C, which Go cannot call.
// static vpx_codec_err_t start(vpx_codec_ctx_t *context, unsigned width, unsigned height, unsigned kbps) {
//     vpx_codec_enc_cfg_t config;
//     vpx_codec_err_t error = vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &config, 0);
//     if (error) return error;
//     config.g_w = width;
//     config.g_h = height;
//     config.g_threads = 1;
//     config.g_timebase.num = 1;
//     config.g_timebase.den = 90000;
//     config.g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
//     config.g_lag_in_frames = 0;
//     config.rc_dropframe_thresh = 0;
//     config.rc_end_usage = VPX_CBR;
//     config.rc_target_bitrate = kbps;
//     config.rc_min_quantizer = 2;
//     config.rc_max_quantizer = 56;
//     config.rc_undershoot_pct = 100;
//     config.rc_overshoot_pct = 15;
//     config.rc_buf_sz = 1000;
//     config.rc_buf_initial_sz = 500;
//     config.rc_buf_optimal_sz = 600;
//     config.kf_mode = VPX_KF_DISABLED;
//     error = vpx_codec_enc_init(context, vpx_codec_vp8_cx(), &config, 0);
//     if (error) return error;
//     vpx_codec_control(context, VP8E_SET_CPUUSED, -6);
//     vpx_codec_control(context, VP8E_SET_STATIC_THRESHOLD, 1);
//     vpx_codec_control(context, VP8E_SET_MAX_INTRA_BITRATE_PCT, 450);
//     return VPX_CODEC_OK;
// }
//
// static int encode(vpx_codec_ctx_t *context, unsigned char *picture, unsigned width, unsigned height,
//                   long long pts, int key, unsigned char *frame, int room) {
//     vpx_image_t image;
//     vpx_codec_iter_t iterator = NULL;
//     const vpx_codec_cx_pkt_t *packet;
//     int size = 0;
//     if (!vpx_img_wrap(&image, VPX_IMG_FMT_I420, width, height, 1, picture)) return -1;
//     if (vpx_codec_encode(context, &image, pts, 3000, key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME)) return -2;
//     while ((packet = vpx_codec_get_cx_data(context, &iterator))) {
//         if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
//         if (packet->data.frame.sz > (size_t)room) return -3;
//         memcpy(frame, packet->data.frame.buf, packet->data.frame.sz);
//         size = (int)packet->data.frame.sz;
//     }
//     return size;
// }
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

// encoder is libvpx with the settings of Millstream's vp8-encoder.
type encoder struct {
	context *C.vpx_codec_ctx_t
	frame   []byte
}

func newEncoder(kbps uint) (*encoder, error) {
	context := (*C.vpx_codec_ctx_t)(C.calloc(1, C.sizeof_vpx_codec_ctx_t))
	if status := C.start(context, width, height, C.uint(kbps)); status != 0 {
		return nil, fmt.Errorf("libvpx cannot be started: %d", status)
	}
	return &encoder{context, make([]byte, pictureBytes)}, nil
}

// encode gives the frame of a picture, valid until the next call.
func (e *encoder) encode(picture []byte, at time.Duration, key bool) ([]byte, error) {
	forced := C.int(0)
	if key {
		forced = 1
	}
	size := C.encode(
		e.context, (*C.uchar)(unsafe.Pointer(&picture[0])), width, height,
		C.longlong(at*90000/time.Second), forced, (*C.uchar)(unsafe.Pointer(&e.frame[0])), C.int(len(e.frame)),
	)
	if size < 0 {
		return nil, fmt.Errorf("libvpx refuses a picture: %d", size)
	}
	return e.frame[:size], nil
}
