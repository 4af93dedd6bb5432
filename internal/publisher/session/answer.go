package session

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/api"
)

// WithPolicy returns next with the headers of everything that is below /console/: what answers may do in a browser, which is nothing but for those that set
// a Content-Security-Policy of their own.
func WithPolicy(next http.Handler) http.Handler {
	policy := map[string]string{
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range policy {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

func newProblem(status int, kind, detail string) api.Problem {
	return api.Problem{Type: kind, Title: http.StatusText(status), Status: status, Detail: detail}
}

// answer sends a body that is not to be kept by anything on its way.
func answer(w http.ResponseWriter, status int, media string, body any) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, body) // fails only when the client is gone
}

// tell answers a person who came by a link with a sentence.
func tell(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, sentence, status)
}

func capitalised(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
