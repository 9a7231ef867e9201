// A bare loop over libvpx's VP8 encoder, with the settings of crates/millstream-codec-vpx/src/ffi/context.rs:
// what nobody can be faster than. Pictures are I420, 30 in a second, planes one behind the other.
#include <stdlib.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

struct bare {
    vpx_codec_ctx_t context;
    vpx_image_t image;
    long number;
};

void bare_close(struct bare *bare) {
    vpx_codec_destroy(&bare->context);
    free(bare);
}

struct bare *bare_open(unsigned width, unsigned height, unsigned kbps) {
    struct bare *bare = calloc(1, sizeof *bare);
    vpx_codec_enc_cfg_t config;
    if (!bare || vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &config, 0)) {
        free(bare);
        return NULL;
    }
    config.g_w = width;
    config.g_h = height;
    config.g_threads = 1;
    config.g_timebase.num = 1;
    config.g_timebase.den = 90000;
    config.g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
    config.g_lag_in_frames = 0;
    config.rc_dropframe_thresh = 0;
    config.rc_resize_allowed = 0;
    config.rc_end_usage = VPX_CBR;
    config.rc_target_bitrate = kbps;
    config.rc_min_quantizer = 2;
    config.rc_max_quantizer = 56;
    config.rc_undershoot_pct = 100;
    config.rc_overshoot_pct = 15;
    config.rc_buf_sz = 1000;
    config.rc_buf_initial_sz = 500;
    config.rc_buf_optimal_sz = 600;
    config.kf_mode = VPX_KF_DISABLED;
    if (vpx_codec_enc_init(&bare->context, vpx_codec_vp8_cx(), &config, 0)) {
        free(bare);
        return NULL;
    }
    if (vpx_codec_control(&bare->context, VP8E_SET_CPUUSED, -6) ||
        vpx_codec_control(&bare->context, VP8E_SET_NOISE_SENSITIVITY, 0) ||
        vpx_codec_control(&bare->context, VP8E_SET_STATIC_THRESHOLD, 1) ||
        vpx_codec_control(&bare->context, VP8E_SET_TOKEN_PARTITIONS, 0) ||
        vpx_codec_control(&bare->context, VP8E_SET_MAX_INTRA_BITRATE_PCT, 450)) {
        bare_close(bare);
        return NULL;
    }
    vpx_img_wrap(&bare->image, VPX_IMG_FMT_I420, width, height, 1, NULL);
    return bare;
}

// Encodes `count` pictures, each `planes` its three planes with `strides`. Gives the bytes, or -1.
long bare_loop(struct bare *bare, unsigned char *const (*planes)[3], const int *strides, long count) {
    long bytes = 0;
    for (long index = 0; index < count; index++, bare->number++) {
        for (int plane = 0; plane < 3; plane++) {
            bare->image.planes[plane] = planes[index][plane];
            bare->image.stride[plane] = strides[plane];
        }
        vpx_enc_frame_flags_t flags = bare->number == 0 ? VPX_EFLAG_FORCE_KF : 0;
        if (vpx_codec_encode(&bare->context, &bare->image, bare->number * 3000, 3000, flags, VPX_DL_REALTIME))
            return -1;
        vpx_codec_iter_t iterator = NULL;
        const vpx_codec_cx_pkt_t *packet;
        while ((packet = vpx_codec_get_cx_data(&bare->context, &iterator)))
            if (packet->kind == VPX_CODEC_CX_FRAME_PKT) bytes += packet->data.frame.sz;
    }
    return bytes;
}
