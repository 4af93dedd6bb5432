package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

const (
	// MaxHeader bounds the header of an answer, in bytes.
	MaxHeader = 64 << 10
	// maxRetryAfter bounds what a receiver may ask for.
	maxRetryAfter = time.Hour
)

// Transport returns what makes connections to addresses only that permit has no error for, each within a time. ca has PEM certificates for the receiver, nil leaves that to
// the system; they must have been checked. It follows no proxy, even if the environment names one, because that would resolve and dial instead of us.
func Transport(permit func(netip.Addr) error, ca []byte, timeout time.Duration) *http.Transport {
	dialer := net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error { return permitDial(address, permit) }}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != nil {
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AppendCertsFromPEM(ca)
	}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: trust, ForceAttemptHTTP2: true, DisableCompression: true, MaxIdleConnsPerHost: 1,
		IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: MaxHeader,
	}
}

// permitDial reports whether a resolved address may be connected to.
func permitDial(address string, permit func(netip.Addr) error) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	return permit(a.Addr())
}

// RetryAfter returns how long a receiver wants to be left alone (RFC 9110, section 10.2.3): an hour at most, 0 if it does not say.
func RetryAfter(field string, now time.Time) time.Duration {
	var wanted time.Duration
	seconds, err := strconv.ParseUint(field, 10, 31)
	if err == nil || errors.Is(err, strconv.ErrRange) { // of which it is the largest
		wanted = time.Duration(seconds) * time.Second // #nosec G115 -- 31 bits
	} else if at, err := http.ParseTime(field); err == nil {
		wanted = at.Sub(now)
	}
	return min(max(wanted, 0), maxRetryAfter)
}
