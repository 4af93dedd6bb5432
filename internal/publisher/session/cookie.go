package session

import (
	"net"
	"net/http"
	"time"

	"github.com/flagside/flagside/internal/origin"
)

// The names of cookies. Browsers take one that begins with __Host- over HTTPS only, and keep it for this very host. Without TLS, which is for loopback only,
// they would not take it.
const (
	cookieName   = "flagside-session"
	stepName     = "flagside-sign-in"
	securePrefix = "__Host-"
)

// plainRefusal says why no one can sign in over a connection, and what to do.
const plainRefusal = "The console needs HTTPS, unless it is asked on this machine by a loopback address: give publishers --admin-cert and --admin-key, and have a " +
	"proxy in front of them speak HTTPS to them too."

// encrypted reports whether a request came over TLS that ends here.
func encrypted(r *http.Request) bool { return r.TLS != nil }

// suitable reports whether a browser may be signed in by a request: over TLS, or from this machine to a loopback name, with nothing between. A proxy that
// has told of itself is in between, and what it says of the way before it proves nothing.
func suitable(r *http.Request) bool {
	if encrypted(r) {
		return true
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return at != nil && at.IP.IsLoopback() && origin.IsLoopback(r.Host)
}

// nameFor returns the name of a cookie as it is for a request.
func nameFor(r *http.Request, name string) string {
	if encrypted(r) {
		return securePrefix + name
	}
	return name
}

// cookie returns the value of a cookie that counts for a request; several of the same name are none, because any may be someone else's.
func cookie(r *http.Request, name string) string {
	if !suitable(r) {
		return ""
	}
	found := r.CookiesNamed(nameFor(r, name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setCookie keeps a value in the browser for some time; 0 removes it.
func setCookie(w http.ResponseWriter, r *http.Request, c http.Cookie, keep time.Duration) {
	w.Header().Add("Set-Cookie", cookieFor(r, c, keep).String())
}

// cookieFor returns a cookie as it is sent in answer to a request. It is Secure unless the request came over plain HTTP on loopback, where browsers would not
// take it.
func cookieFor(r *http.Request, c http.Cookie, keep time.Duration) *http.Cookie { // #nosec G124 -- as said
	c.Name, c.Path, c.HttpOnly, c.Secure = nameFor(r, c.Name), "/", true, encrypted(r)
	if c.MaxAge = int(keep / time.Second); c.MaxAge == 0 {
		c.MaxAge, c.Value = -1, ""
	}
	return &c
}

// sessionCookie is sent for what pages of the console ask for, and never for pages of other sites, not even for links there.
func sessionCookie(value string) http.Cookie {
	return http.Cookie{Name: cookieName, Value: value, SameSite: http.SameSiteStrictMode} // #nosec G124 -- cookieFor completes it
}

// stepCookie is sent when the issuer sends the browser back, which is a link from another site.
func stepCookie(value string) http.Cookie {
	return http.Cookie{Name: stepName, Value: value, SameSite: http.SameSiteLaxMode} // #nosec G124 -- cookieFor completes it
}
