package gate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// The defaults of options.
const (
	DefaultDeadline = 20 * time.Millisecond
	DefaultMaxAge   = time.Second
	DefaultLifetime = 365 * 24 * time.Hour
	DefaultCookie   = "flagside-visitor"
)

// TargetingKey is the attribute that says who is asked about.
const TargetingKey = "targetingKey"

// Options say what a gate answers.
type Options struct {
	// Resolver answers the evaluations. It is required.
	Resolver *resolver.Resolver
	// Views gives what the resolver answers from. It is required.
	Views resolver.Views
	// Flags has the keys of flags, separated by commas, by the prefix of the path of the visitor's request, such as "/shop"; of several prefixes
	// the longest counts. A prefix ends at a slash or at the end of the path: /shop is not one of /shopping.
	Flags map[string]string
	// Tag stands in for Flags: every flag with this tag is evaluated for every path.
	Tag string
	// Headers, Cookies and Queries have the attributes of the evaluation context by the name of the header field, cookie or query parameter
	// that has the value. Nothing else of a request becomes one.
	Headers, Cookies, Queries map[string]string
	// VisitorKeyFile is the path of a file with one or several secrets, one a line, that sign the cookies of visitors without a targeting key:
	// the first makes new ones, and every one is accepted. It is read again when it changes. Empty means that no such visitor gets a cookie.
	VisitorKeyFile string
	// Cookie is the name of that cookie; empty means DefaultCookie. Lifetime is how long browsers keep it; 0 means DefaultLifetime.
	// InsecureCookie lets them send it over plain HTTP.
	Cookie         string
	Lifetime       time.Duration
	InsecureCookie bool
	// MaxAge is how long proxies may use an answer again for the same request; 0 means DefaultMaxAge, less than a second none.
	MaxAge time.Duration
	// Deadline is how long a request waits for fresher flags, where flags demand that; 0 means DefaultDeadline.
	Deadline time.Duration
	// Metrics gets the metrics. It is required.
	Metrics prometheus.Registerer
	// Logger gets what an operator should know, and a line about every request at the level debug. It never gets anything of a visitor but the trace.
	Logger zerolog.Logger
}

// The bounds of options and answers.
const (
	// MaxFlags is how many flags are evaluated for a request.
	MaxFlags = 50
)

// Validate returns why a gate cannot be made of the options.
func (o Options) Validate() error {
	var errs []error
	switch {
	case len(o.Flags) == 0 && o.Tag == "":
		errs = append(errs, errors.New("the gate has no flags: give --gate-flags or --gate-tag"))
	case len(o.Flags) > 0 && o.Tag != "":
		errs = append(errs, errors.New("--gate-flags and --gate-tag do not go together: leave one out"))
	}
	names := make(map[string]struct{})
	for _, prefix := range slices.Sorted(maps.Keys(o.Flags)) {
		keys := strings.Split(o.Flags[prefix], ",")
		errs = append(errs, validateFlags(prefix, keys))
		for _, key := range keys {
			names[HeaderName(key)] = struct{}{}
		}
	}
	if n := sizeOf(names); n > maxNames {
		errs = append(errs, fmt.Errorf("--gate-flags: the headers of all flags have names of %d bytes together, at most %d are allowed", n, maxNames))
	}
	return errors.Join(append(errs, o.validateSources(), o.validateCookie())...)
}

// sizeOf returns how many bytes a list of names has.
func sizeOf(names map[string]struct{}) (n int) {
	for name := range names {
		n += len(name) + len(", ")
	}
	return n
}

func validateFlags(prefix string, keys []string) error {
	if !strings.HasPrefix(prefix, "/") {
		return fmt.Errorf("--gate-flags: %q is not the beginning of a path: it must begin with a slash", prefix)
	}
	if len(keys) > MaxFlags {
		return fmt.Errorf("--gate-flags %s: %d flags, at most %d are allowed", prefix, len(keys), MaxFlags)
	}
	by := make(map[string]string)
	for _, key := range keys {
		if key == "" {
			return fmt.Errorf("--gate-flags %s: a flag without a key", prefix)
		}
		name := HeaderName(key)
		if other, taken := by[name]; taken {
			return fmt.Errorf("--gate-flags %s: flags %q and %q would have the same header, %s: leave one out", prefix, other, key, name)
		}
		by[name] = key
	}
	return nil
}

func (o Options) validateSources() error {
	var errs []error
	from := make(map[string]string)
	for option, sources := range map[string]map[string]string{"header": o.Headers, "cookie": o.Cookies, "query": o.Queries} {
		for _, name := range slices.Sorted(maps.Keys(sources)) {
			attribute := sources[name]
			switch {
			case name == "" || attribute == "":
				errs = append(errs, fmt.Errorf("--gate-context-from-%s: %q=%q lacks a name", option, name, attribute))
			case option == "header" && isFlagHeader(name):
				errs = append(errs, fmt.Errorf("--gate-context-from-header: %s has the name of a flag's header, and visitors can send it", name))
			case attribute == "$flagd":
				errs = append(errs, fmt.Errorf("--gate-context-from-%s: attribute $flagd is set by the evaluation: choose another name", option))
			case from[attribute] != "":
				errs = append(errs, fmt.Errorf("attribute %q is taken from two places, %s and %s %s: leave one out", attribute, from[attribute], option, name))
			}
			from[attribute] = option + " " + name
		}
	}
	return errors.Join(errs...)
}

func (o Options) validateCookie() error {
	if o.VisitorKeyFile == "" {
		return nil
	}
	name := cmp.Or(o.Cookie, DefaultCookie)
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return fmt.Errorf("--gate-cookie: %q is no name for a cookie: use letters, digits, - and _", name)
	}
	if _, taken := o.Cookies[name]; taken {
		return fmt.Errorf("--gate-cookie: %s is an attribute of the context already", name)
	}
	return nil
}
