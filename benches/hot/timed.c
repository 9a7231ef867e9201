// Stands before libvpx and sums up what time its thread spends inside: MILLSTREAM_LIBVPX names it. Whatever it
// does not define is found in libvpx itself, which it is linked to. Reading the clock counts as outside.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <vpx/vpx_encoder.h>

static long inside;

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

// Nanoseconds inside libvpx's encoder since this was last asked.
long timed_inside(void) {
    long sum = inside;
    inside = 0;
    return sum;
}

vpx_codec_err_t vpx_codec_encode(vpx_codec_ctx_t *context, const vpx_image_t *image, vpx_codec_pts_t pts,
                                 unsigned long duration, vpx_enc_frame_flags_t flags, unsigned long deadline) {
    static vpx_codec_err_t (*real)(vpx_codec_ctx_t *, const vpx_image_t *, vpx_codec_pts_t, unsigned long,
                                   vpx_enc_frame_flags_t, unsigned long);
    if (!real) real = dlsym(RTLD_NEXT, "vpx_codec_encode");
    long from = now();
    vpx_codec_err_t status = real(context, image, pts, duration, flags, deadline);
    inside += now() - from;
    return status;
}

const vpx_codec_cx_pkt_t *vpx_codec_get_cx_data(vpx_codec_ctx_t *context, vpx_codec_iter_t *iterator) {
    static const vpx_codec_cx_pkt_t *(*real)(vpx_codec_ctx_t *, vpx_codec_iter_t *);
    if (!real) real = dlsym(RTLD_NEXT, "vpx_codec_get_cx_data");
    long from = now();
    const vpx_codec_cx_pkt_t *packet = real(context, iterator);
    inside += now() - from;
    return packet;
}
