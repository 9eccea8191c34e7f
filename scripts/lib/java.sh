# Sourced after common.sh: a JDK and JAX-WS, which judge our MTOM as a foreign client (Tests/Interop/java).

# need_java: Debian packages, installed when absent; sets WSEMAIL_JAVA, the home of the JDK.
need_java() {
    local compiler
    # Any JDK from 11 on; JAX-WS is not part of those.
    command -v javac >/dev/null || need_packages default-jdk-headless
    need_packages libjaxws-java curl
    compiler=$(readlink -f "$(command -v javac)") || die "there is no javac after installing default-jdk-headless"
    # A javac that is a wrapper (of a version manager) says itself where its JDK is.
    [ -x "$(dirname "$compiler")/java" ] && [ -e "$(dirname "$compiler")/../release" ] \
        || compiler=$(javac -J-XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p')/bin/javac
    [ -x "$compiler" ] || die "no home of the JDK was found: set WSEMAIL_JAVA and run this again"
    WSEMAIL_JAVA=$(cd "$(dirname "$compiler")/.." && pwd)
    export WSEMAIL_JAVA
}
