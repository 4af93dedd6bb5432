package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/telemetry"
)

const (
	// doctorPatience bounds each question that doctor asks.
	doctorPatience = 5 * time.Second
	// usualSidecar is where the management port of a sidecar is unless it was told otherwise. Nothing of the publisher links the sidecar.
	usualSidecar = "http://127.0.0.1:8014"
)

// checkup is everything that doctor has found, secrets left out.
type checkup struct {
	Time        time.Time         `json:"time"`
	Version     string            `json:"version"`
	Go          string            `json:"go"`
	System      string            `json:"system"`
	Environment map[string]string `json:"environment"` // variables of ours
	Publisher   visit             `json:"publisher"`
	Sidecar     *visit            `json:"sidecar,omitempty"` // nil if it was not to be asked
}

// visit is what one program has answered.
type visit struct {
	Address      string         `json:"address"`
	Unreachable  string         `json:"unreachable,omitempty"`
	ClockSeconds *float64       `json:"clockSeconds,omitempty"` // by how much its clock is ahead of ours, to the second
	Ready        bool           `json:"ready"`
	NotReady     string         `json:"notReady,omitempty"` // what it says of why not
	Status       jsontext.Value `json:"status,omitempty"`
	StatusError  string         `json:"statusError,omitempty"`
	Identity     *identity      `json:"identity,omitempty"` // who the API takes the caller for
	Environments *environments  `json:"environments,omitempty"`
}

// identity is who the API takes the caller for, or why it does not tell.
type identity struct {
	*api.Caller

	Error string `json:"error,omitempty"`
}

// environments are those that the API shows to the caller, or why it shows none.
type environments struct {
	*api.EnvironmentList

	Error string `json:"error,omitempty"`
}

func doctorCommand() commandline.Command {
	return command("doctor", "collect what is needed to find out what is wrong", doctor)
}

func doctor() commandline.Invocation {
	var address string
	f := newForm("doctor", "Prints a report for troubleshooting: versions, configuration without secrets, the state of "+
		"the publisher and of a sidecar, and how far clocks differ. It changes nothing. Names of environments and flags are in it.")
	f.set.String(&address, "sidecar", usualSidecar, "management address of a sidecar; none: ask no sidecar")
	return f.runs(func(ctx context.Context, s *session) error {
		c := newCheckup(os.Environ())
		c.Publisher = visitPublisher(ctx, f.conn.address, s.client)
		if address != "none" {
			program, err := client.New(client.Options{Address: address})
			if err != nil {
				return fmt.Errorf("--sidecar: %w", err)
			}
			c.Sidecar = new(newVisit(ctx, address, program))
		}
		return s.print(c, func(out io.Writer) error { return diagnosis(out, c) })
	})
}

// newCheckup tells about this program.
func newCheckup(environ []string) checkup {
	c := checkup{
		Time: time.Now().UTC().Truncate(time.Second), Version: telemetry.Version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Environment: make(map[string]string),
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "FLAGSIDE_") {
			c.Environment[name] = withoutSecrets(name, value)
		}
	}
	return c
}

// withoutSecrets returns the value of a variable as it may be shown: that of a secret is not, nor is what stands before the host in an
// address.
func withoutSecrets(name, value string) string {
	secret := slices.ContainsFunc([]string{"TOKEN", "SECRET", "PASSWORD", "CREDENTIALS", "SEED", "KEY"}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
	if secret {
		return "***"
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		if u, err := url.Parse(part); err == nil && u.User != nil {
			u.User = url.User("***")
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}

func visitPublisher(ctx context.Context, address string, program *client.Client) visit {
	v := newVisit(ctx, address, program)
	if v.Unreachable != "" {
		return v
	}
	who, err := patiently(ctx, program.WhoAmI)
	if v.Identity = (&identity{Caller: &who}); err != nil {
		v.Identity = &identity{Error: reasonOf(err)}
	}
	all, err := patiently(ctx, program.Environments)
	if v.Environments = (&environments{EnvironmentList: &all}); err != nil {
		v.Environments = &environments{Error: reasonOf(err)}
	}
	return v
}

// newVisit asks for what both programs serve.
func newVisit(ctx context.Context, address string, program *client.Client) visit {
	v := visit{Address: withoutSecrets("", address)}
	ready, err := patiently(ctx, program.Ready)
	if err != nil {
		v.Unreachable = reasonOf(err)
		return v
	}
	if v.Ready = ready.Status == http.StatusOK; !v.Ready {
		v.NotReady = strings.TrimSpace(string(ready.Body))
	}
	if at, err := http.ParseTime(ready.Header.Get("Date")); err == nil {
		v.ClockSeconds = new(at.Sub(time.Now().Truncate(time.Second)).Seconds())
	}
	status, err := patiently(ctx, program.Status)
	switch {
	case err != nil:
		v.StatusError = reasonOf(err)
	case status.Status != http.StatusOK || !jsontext.Value(status.Body).IsValid():
		v.StatusError = fmt.Sprintf("%d %s", status.Status, strings.TrimSpace(string(status.Body)))
	default:
		v.Status = status.Body
	}
	return v
}

// patiently asks something as long as doctor has patience.
func patiently[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	return ask(ctx)
}

// reasonOf says why there was no answer, without the address.
func reasonOf(err error) string {
	if lost, ok := errors.AsType[*client.Unanswered](err); ok {
		err = lost.Unwrap()
	}
	return err.Error()
}
