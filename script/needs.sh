# What Millstream needs from the system, and how to get it. Sourced by the other scripts.
#   need WHAT WHY     installs WHAT where it is missing, and says why
#   need_rust         says how to get a Rust toolchain where there is none
# Asks before it installs, but for root and CI.

say() { printf '%s\n' "$*" >&2; }

manager() {
    local name
    for name in apt-get dnf pacman apk brew; do
        if command -v "$name" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
}

# Is it here?
have() {
    case $1 in
        libvpx)
            [ -n "${MILLSTREAM_LIBVPX:-}" ] && return 0
            if command -v ldconfig >/dev/null 2>&1 || [ -x /sbin/ldconfig ]; then
                # Read to its end: `grep -q` would leave at the first line, and ldconfig fail on a closed pipe.
                PATH=$PATH:/sbin ldconfig -p | grep 'libvpx\.so\.' >/dev/null
            else
                ls /usr/local/lib/libvpx* /opt/homebrew/lib/libvpx* >/dev/null 2>&1
            fi
            ;;
        # Its headers, for what is built against them.
        gstreamer) gst-inspect-1.0 webrtcbin >/dev/null 2>&1 && gst-inspect-1.0 nicesink >/dev/null 2>&1 ;;
        python3-venv) python3 -c 'import ensurepip, venv' >/dev/null 2>&1 ;;
        libasound2-dev) printf '#include <alsa/asoundlib.h>\n' | cc -E - >/dev/null 2>&1 ;;
        libasound2-plugins) find /usr/lib /usr/lib64 -name libasound_module_pcm_pulse.so 2>/dev/null | grep . >/dev/null ;;
        pulseaudio-utils) command -v pactl >/dev/null 2>&1 && command -v parec >/dev/null 2>&1 ;;
        libvpx-dev) printf '#include <vpx/vpx_encoder.h>\n' | cc -E - >/dev/null 2>&1 ;;
        # What the bindings below xcap are made from.
        xcap-headers)
            pkg-config --exists libpipewire-0.3 dbus-1 wayland-client gbm egl xcb &&
                { compgen -G '/usr/lib*/*/libclang*' || compgen -G '/usr/lib/llvm*/lib/libclang*'; } >/dev/null
            ;;
        # A static one: the guest of script/test-devices has no libraries for it.
        busybox-static) command -v busybox >/dev/null 2>&1 && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
        depmod) [ -x /sbin/depmod ] || command -v depmod >/dev/null 2>&1 ;;
        # A library: what generates bindings loads it.
        libclang) PATH=$PATH:/sbin ldconfig -p 2>/dev/null | grep 'libclang[-.]' >/dev/null || ls /usr/lib/llvm*/lib/libclang.so* >/dev/null 2>&1 ;;
        chromium) command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# What the package manager $1 calls it.
package() {
    case $1:$2 in
        apt-get:cc) echo "gcc libc6-dev" ;;
        # The library's package carries its ABI number, which differs between releases.
        apt-get:libvpx) apt-cache pkgnames libvpx | grep -E '^libvpx[0-9]+(t64)?$' | sort -V | tail -n 1 ;;
        apt-get:gstreamer)
            echo gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad} gstreamer1.0-nice python3-gi \
                gir1.2-gst-plugins-{base,bad}-1.0
            ;;
        apt-get:xcap-headers)
            echo lib{pipewire-0.3,dbus-1,wayland,gbm,egl,xcb1}-dev libclang-dev
            ;;
        apt-get:Xvfb) echo xvfb ;;
        dnf:Xvfb) echo xorg-x11-server-Xvfb ;;
        pacman:Xvfb) echo xorg-server-xvfb ;;
        apk:Xvfb) echo xvfb ;;
        apt-get:qemu-system-x86_64) echo qemu-system-x86 ;;
        *:depmod) echo kmod ;;
        *:v4l2-ctl) echo v4l-utils ;;
        apt-get:libclang) echo libclang-dev ;;
        dnf:libclang) echo clang-libs ;;
        pacman:libclang) echo clang ;;
        apk:libclang) echo clang-libclang ;;
        dnf:libvpx-dev) echo libvpx-devel ;;
        pacman:libvpx-dev | brew:libvpx-dev) echo libvpx ;;
        dnf:libasound2-dev) echo alsa-lib-devel ;;
        pacman:libasound2-dev) echo alsa-lib ;;
        apk:libasound2-dev) echo alsa-lib-dev ;;
        dnf:libasound2-plugins) echo alsa-plugins-pulseaudio ;;
        pacman:libasound2-plugins) echo alsa-plugins ;;
        apk:libasound2-plugins) echo alsa-plugins-pulse ;;
        dnf:pkg-config) echo pkgconf-pkg-config ;;
        pacman:pkg-config | apk:pkg-config) echo pkgconf ;;
        pacman:pulseaudio-utils) echo libpulse ;;
        dnf:ffmpeg) echo ffmpeg-free ;;
        apk:cc) echo "gcc musl-dev" ;;
        *:cc) echo gcc ;;
        *) echo "$2" ;;
    esac
}

install() {
    local manager=$1 as_root=()
    shift
    [ "$(id -u)" = 0 ] || [ "$manager" = brew ] || as_root=(sudo)
    case $manager in
        apt-get) "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ;;
        dnf) "${as_root[@]}" dnf install -y "$@" ;;
        pacman) "${as_root[@]}" pacman -S --noconfirm --needed "$@" ;;
        apk) "${as_root[@]}" apk add "$@" ;;
        brew) brew install "$@" ;;
    esac
}

refreshed=
need() {
    local what=$1 why=$2 manager packages answer
    have "$what" && return
    manager=$(manager)
    if [ -z "$manager" ]; then
        say "Millstream needs $what: $why. There is no package manager here that this script knows; install it by hand."
        exit 1
    fi
    if [ "$manager" = apt-get ] && [ -z "$refreshed" ]; then
        say "Reading the lists of packages…"
        if [ "$(id -u)" = 0 ]; then apt-get update -q >/dev/null; else sudo apt-get update -q >/dev/null; fi
        refreshed=yes
    fi
    packages=$(package "$manager" "$what")
    say "Millstream needs $what: $why. Installing with $manager: $packages"
    if [ "$(id -u)" != 0 ] && [ -z "${CI:-}" ] && [ "$manager" != brew ]; then
        read -r -p "Install it now? [Y/n] " answer
        case $answer in [nN]*) say "Install $packages and come back."; exit 1 ;; esac
    fi
    # shellcheck disable=SC2086  # a name may stand for several packages
    install "$manager" $packages >&2
    if ! have "$what"; then
        say "$what is still missing after installing $packages."
        exit 1
    fi
}

need_rust() {
    if ! command -v cargo >/dev/null 2>&1; then
        say "Millstream is built with Rust, and there is no cargo here. Get it from rustup.rs:"
        say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
        say "and open a new shell."
        exit 1
    fi
}

# What every build needs.
need_to_build() {
    need_rust
    need cc "libopus and the cryptography are C"
    need make "libopus is built with it"
    need cmake "libopus is configured with it"
    [ "$(uname)" != Linux ] || need libclang "the bindings of Video4Linux, for cameras, are generated with it"
    need nasm "the SIMD of libjpeg-turbo, for cameras, is written for it"
    if [ "$(uname)" = Linux ]; then
        need libasound2-dev "microphones and speakers are opened through ALSA where there is no sound server"
        need pkg-config "ALSA's library is found with it"
    fi
    need libvpx "VP8 is encoded with it; it is loaded when a pipeline starts"
}
