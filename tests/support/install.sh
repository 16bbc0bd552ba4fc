# install_packages PACKAGE...: on Debian, installs those that are missing, and says which.
install_packages() {
    local package missing= sudo=
    if ! command -v apt-get > /dev/null; then
        echo "no apt-get here: expecting the equivalents of: $*"
        return 0
    fi
    for package; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    echo "installing:$missing"
    $sudo apt-get update -qq < /dev/null || echo "apt-get update failed; trying what is known"
    # A list of words.
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing < /dev/null > /dev/null || {
        echo "cannot install:$missing" >&2
        return 1
    }
}
