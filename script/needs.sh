# What Millstream needs from the system, and how to get it. Sourced by the other scripts, which stand in the
# root of the project by then.
#   need WHAT WHY      notes WHAT where it is missing
#   install_needs      installs all that was noted, at once. Asks first, but for root and CI.
#   need_rust          says how to get a Rust toolchain where there is none that will do
# Call install_needs before the first compiler runs: nobody shall wait five minutes for an error.

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

# Is it here? Each is looked for in the way of whoever will use it: a name alone proves little.
have() {
    case $1 in
        cc) compiles "" ;;
        g++) command -v g++ >/dev/null 2>&1 && printf '#include <string>\nint main() { return std::string().size(); }\n' | links g++ -x c++ - ;;
        libvpx) [ -n "${MILLSTREAM_LIBVPX:-}" ] || loadable_libvpx ;;
        linux-headers) compiles '#include <linux/videodev2.h>' ;;
        libasound2-dev) library alsa '#include <alsa/asoundlib.h>' ;;
        libvpx-dev) library vpx '#include <vpx/vpx_encoder.h>' ;;
        libclang) generates_bindings ;;
        # What the bindings below xcap are made from.
        xcap-headers) pkg-config --exists libpipewire-0.3 dbus-1 wayland-client gbm egl xcb 2>/dev/null && have libclang ;;
        gstreamer) gst-inspect-1.0 webrtcbin >/dev/null 2>&1 && gst-inspect-1.0 nicesink >/dev/null 2>&1 ;;
        gstreamer-dev) pkg-config --exists gstreamer-1.0 gstreamer-webrtc-1.0 gstreamer-sdp-1.0 2>/dev/null ;;
        python3-venv) python3 -c 'import ensurepip, venv' >/dev/null 2>&1 ;;
        libasound2-plugins) found /usr/lib /usr/lib64 -path '*/alsa-lib/libasound_module_pcm_pulse.so' | for_this_machine ;;
        pulseaudio-utils) runs pactl --version && command -v parec >/dev/null 2>&1 ;;
        # A static one: the guest of script/test-devices has no libraries for it.
        busybox-static) command -v busybox >/dev/null 2>&1 && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
        depmod) [ -x /sbin/depmod ] || command -v depmod >/dev/null 2>&1 ;;
        # The two places in which the tests look. Where Chromium comes as a snap, one of them holds a script that says so.
        chromium) runs /usr/bin/chromium --version || runs /usr/bin/chromium-browser --version ;;
        # Some are built without the decoders.
        ffmpeg) runs ffmpeg -nostdin -v error -i tests/data/bunny.mp4 -frames:v 1 -frames:a 1 -f null - ;;
        cmake | make | pkg-config | nasm) runs "$1" --version ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# Places that are not there are no failure.
found() { find "$@" 2>/dev/null || true; }

runs() { "$@" </dev/null >/dev/null 2>&1; }

# Does the rest of the arguments, a compiler, make a program of what it reads?
links() {
    local made code=0
    made=$(mktemp)
    "$@" -o "$made" >/dev/null 2>&1 || code=1
    rm -f "$made"
    return $code
}

# Is there a C compiler, with the headers of the C library and $1?
compiles() { printf '#include <stdio.h>\n%s\nint main(void) { return puts(""); }\n' "$1" | links "${CC:-cc}" -x c -; }

# Does pkg-config know the library $1, does $2 include its header, and is there what to link?
library() {
    local flags
    flags=$(pkg-config --cflags --libs "$1" 2>/dev/null) || return 1
    # shellcheck disable=SC2086  # several flags
    printf '%s\nint main(void) { return 0; }\n' "$2" | links "${CC:-cc}" -x c - -Wl,--no-as-needed $flags
}

# Reads files, a line each: is one an ELF library for this machine? Bash itself tells which class and machine that is
# (bytes 4, 18 and 19 of the header). Reads to the end: whoever writes into a closed pipe fails.
for_this_machine() {
    local file code=1
    while read -r file; do
        [ "$(machine "$file")" != "$(machine "$BASH")" ] || code=0
    done
    return $code
}
machine() { od -An -tx1 -j4 -N16 "$1" 2>/dev/null | awk '{ print $1, $15, $16 }'; }

# One of the names in crates/millstream-codec-vpx/src/ffi/library.rs, among what the loader finds.
loadable_libvpx() {
    if command -v ldconfig >/dev/null 2>&1 || [ -x /sbin/ldconfig ]; then
        PATH=$PATH:/sbin ldconfig -p | sed -nE 's,^\s*libvpx\.so(\.([6-9]|1[0-3]))? .* => ,,p' | for_this_machine
    elif [ "$(uname)" = Darwin ]; then
        compgen -G '/usr/local/lib/libvpx.dylib' >/dev/null || compgen -G '/opt/homebrew/lib/libvpx.dylib' >/dev/null
    else
        compgen -G '/usr/lib/libvpx.so*' | grep -E '\.so(\.([6-9]|1[0-3]))?$' | for_this_machine
    fi
}

# What generates bindings loads libclang, from where clang-sys looks for it (build/common.rs and build/dynamic.rs there),
# and that reads headers of its own, which come in another package.
generates_bindings() {
    local places=(/usr/local/llvm*/lib* /usr/local/lib*/*/* /usr/local/lib*/* /usr/local/lib* /usr/lib*/*/* /usr/lib*/* /usr/lib*)
    local llvm
    llvm=$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null) && places=("$llvm"/{bin,lib,lib64} "${places[@]}")
    [ -z "${LIBCLANG_PATH:-}" ] || places=("$LIBCLANG_PATH" "$(dirname "$LIBCLANG_PATH")" "${places[@]}")
    found "${places[@]}" -maxdepth 1 \( -name 'libclang.so*' -o -name 'libclang-[0-9]*.so*' \) | for_this_machine &&
        found -L "${places[@]}" -maxdepth 4 -path '*/clang/*/include/stddef.h' | grep . >/dev/null
}

# What the package manager $1 calls it.
package() {
    case $1:$2 in
        apt-get:cc) echo "gcc libc6-dev" ;;
        apt-get:linux-headers) echo linux-libc-dev ;;
        dnf:linux-headers) echo kernel-headers ;;
        pacman:linux-headers) echo linux-api-headers ;;
        # The library's package carries its ABI number, which differs between releases.
        apt-get:libvpx) apt-cache pkgnames libvpx | grep -E '^libvpx[0-9]+(t64)?$' | sort -V | tail -n 1 ;;
        apt-get:gstreamer)
            echo gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad} gstreamer1.0-nice python3-gi \
                gir1.2-gst-plugins-{base,bad}-1.0
            ;;
        apt-get:gstreamer-dev) echo libgstreamer1.0-dev libgstreamer-plugins-{base,bad}1.0-dev ;;
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
        dnf:libclang) echo clang-devel ;;
        pacman:libclang) echo clang ;;
        apk:libclang) echo clang-dev ;;
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
        apt-get)
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
            ;;
        dnf) "${as_root[@]}" dnf install -y "$@" ;;
        pacman) "${as_root[@]}" pacman -S --noconfirm --needed "$@" ;;
        apk) "${as_root[@]}" apk add "$@" ;;
        brew) brew install "$@" ;;
    esac
}

missing=()
need() {
    have "$1" && return
    missing+=("$1")
    say "Millstream needs $1: $2."
}

install_needs() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local manager packages=() what answer still=()
    manager=$(manager)
    if [ -z "$manager" ]; then
        say "There is no package manager here that this script knows; install by hand: ${missing[*]}"
        exit 1
    fi
    # Before the names are looked up in them.
    if [ "$manager" = apt-get ]; then
        say "Reading the lists of packages…"
        if [ "$(id -u)" = 0 ]; then apt-get update -q >/dev/null; else sudo apt-get update -q >/dev/null; fi
    fi
    for what in "${missing[@]}"; do packages+=("$(package "$manager" "$what")"); done
    say "Installing with $manager: ${packages[*]}"
    if [ "$(id -u)" != 0 ] && [ -z "${CI:-}" ] && [ "$manager" != brew ]; then
        read -r -p "Install them now? [Y/n] " answer
        case $answer in [nN]*) say "Install them and come back."; exit 1 ;; esac
    fi
    # shellcheck disable=SC2068  # a name may stand for several packages
    install "$manager" ${packages[@]} >&2
    for what in "${missing[@]}"; do have "$what" || still+=("$what"); done
    missing=()
    if [ ${#still[@]} -gt 0 ]; then
        say "Still missing after installing: ${still[*]}. (script/needs.sh shows how each is looked for.)"
        exit 1
    fi
}

need_rust() {
    local found wanted
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(cargo --version 2>/dev/null | awk '{ print $2 }')
    if [ -z "$found" ]; then
        say "Millstream is built with Rust $wanted, and there is no cargo here that runs."
    elif [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
        say "Millstream is built with Rust $wanted or newer, and $(command -v cargo) is $found."
    else
        return 0
    fi
    if command -v rustup >/dev/null 2>&1; then
        say "Get it with: rustup update stable && rustup default stable"
    else
        say "Get it from rustup.rs:"
        say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
        say "and open a new shell."
    fi
    exit 1
}

# What every build needs.
need_to_build() {
    need_rust
    need cc "libopus and the cryptography are C"
    need make "libopus is built with it"
    need cmake "libopus is configured with it"
    need nasm "the SIMD of libjpeg-turbo, for cameras, is written for it"
    if [ "$(uname)" = Linux ]; then
        need linux-headers "they say how a camera is spoken to"
        need libclang "the bindings of Video4Linux, for cameras, are generated with it"
        need pkg-config "ALSA's library is found with it"
        need libasound2-dev "microphones and speakers are opened through ALSA where there is no sound server"
    fi
    need libvpx "VP8 is encoded with it; it is loaded when a pipeline starts"
}

# What the tests need beside.
need_to_test() {
    need chromium "the browser tests play in it"
    need Xvfb "the screen that is captured is its"
    need ffmpeg "the clip of the tests is decoded with it"
    [ "$(uname)" = Linux ] || return 0
    # Beside PipeWire's own, PulseAudio would take over the sound of whoever works here: the tests of sound are
    # skipped there instead.
    if ! command -v pipewire-pulse >/dev/null 2>&1; then
        need pulseaudio "the tests of microphones and speakers run one of their own"
        need libasound2-plugins "ALSA reaches that server with it"
    fi
    need pulseaudio-utils "the tests play to that server and record it"
}
