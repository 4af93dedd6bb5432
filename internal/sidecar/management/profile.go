package management

import (
	"net/http"
	"net/http/pprof"
	"time"
)

// profileTime is how long a profile may be collected and written.
const profileTime = 5 * time.Minute

// profile answers with a profile of the Go runtime by its name, with their list if it is empty.
func profile(w http.ResponseWriter, r *http.Request, name string) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(profileTime)) // without it, the profile is cut short
	switch name {
	case "profile":
		pprof.Profile(w, r)
	case "trace":
		pprof.Trace(w, r)
	case "cmdline":
		Refuse(w, http.StatusNotFound, "the command line is not shown, see --print-config")
	case "symbol":
		pprof.Symbol(w, r)
	default:
		pprof.Index(w, r)
	}
}
