//go:build linux

package main

import (
	"bytes"
	_ "embed" // scenarios.json
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/flagside/flagside/bench/http/load"
)

//go:embed scenarios.json
var builtIn []byte

// scenario is something that is asked of servers.
type scenario struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// Flags is how many flags the environment has.
	Flags int `json:"flags"`
	// Ask is what is asked for: one flag (static, targeted, fractional), all in turn (mixed), all at once for one context (bulk), with the ETag
	// of the last answer (bulk_known) or for another context each time (bulk_new), or changes (stream).
	Ask string `json:"ask"`
	// Network is tcp, the default, or unix.
	Network string `json:"network,omitempty"`
	// Protocol is ofrep, the default, grpc or connect.
	Protocol string `json:"protocol,omitempty"`
	// Limit says that the constant server is measured beside it.
	Limit bool `json:"limit,omitempty"`
	// Share makes an open loop with a share of the rate that the limit reached in the scenario Of. Without it the loop is closed.
	Share float64 `json:"share,omitempty"`
	Of    string  `json:"of,omitempty"`
	// Changes are made at this rate a second meanwhile.
	Changes float64 `json:"changes,omitempty"`
	// Streams is how many event streams are open.
	Streams int `json:"streams,omitempty"`
	// Full says that it is measured only when all are.
	Full bool `json:"full,omitempty"`
}

// What scenarios ask for, and how.
const (
	askMixed     = "mixed"
	askBulk      = "bulk"
	askBulkKnown = "bulk_known"
	askBulkNew   = "bulk_new"
	askStream    = "stream"

	overOFREP   = "ofrep"
	overGRPC    = "grpc"
	overConnect = "connect"
)

// readScenarios reads a file of scenarios, or those that are built in if there is none.
func readScenarios(file string) ([]scenario, error) {
	text, name := builtIn, "scenarios.json"
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, err
		}
		name = file
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var all []scenario
	if err := decoder.Decode(&all); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range all {
		if err := all[i].complete(all); err != nil {
			return nil, fmt.Errorf("%s: scenario %q: %w", name, all[i].Name, err)
		}
	}
	return all, nil
}

// complete fills in what is the default, and checks the rest.
func (s *scenario) complete(all []scenario) error {
	s.Network, s.Protocol = orElse(s.Network, "tcp"), orElse(s.Protocol, overOFREP)
	switch {
	case s.Name == "":
		return errors.New("name is missing")
	case s.Flags < fewestFlags:
		return fmt.Errorf("flags: %d, and %d is the least", s.Flags, fewestFlags)
	case !slices.Contains([]string{askStatic, askTargeted, askFractional, askMixed, askBulk, askBulkKnown, askBulkNew, askStream}, s.Ask):
		return fmt.Errorf("ask: %q is not known", s.Ask)
	case !slices.Contains([]string{"tcp", "unix"}, s.Network):
		return fmt.Errorf("network: %q is neither tcp nor unix", s.Network)
	case !slices.Contains([]string{overOFREP, overGRPC, overConnect}, s.Protocol):
		return fmt.Errorf("protocol: %q is not known", s.Protocol)
	case s.Protocol != overOFREP && (s.Ask != askStatic || s.Limit || s.Network != "tcp"):
		return fmt.Errorf("protocol: %s asks for the static flag over TCP, and has no limit", s.Protocol)
	case s.Share < 0 || s.Share > 0 && named(all, s.Of) == nil:
		return fmt.Errorf("of: %q is no scenario, and a share needs one", s.Of)
	case s.Share > 0 && (!named(all, s.Of).Limit || named(all, s.Of).Share > 0):
		return fmt.Errorf("of: %q is no closed loop with a limit", s.Of)
	case s.Changes > 0 && s.Flags > mostFollowed:
		return fmt.Errorf("changes: an environment of more than %d flags has no log", mostFollowed)
	case s.Ask == askStream && (s.Streams < 1 || s.Changes <= 0 || s.Limit):
		return errors.New("streams need a number of streams and a rate of changes, and have no limit")
	}
	return nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func named(all []scenario, name string) *scenario {
	i := slices.IndexFunc(all, func(s scenario) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// choose returns the scenarios with the names, and those that they need for their rate. Without names these are all, or those that are not only for the
// full run.
func choose(all []scenario, names []string, full bool) ([]scenario, error) {
	for _, name := range names {
		if named(all, name) == nil {
			return nil, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(namesOf(all), ", "))
		}
	}
	wanted := func(s scenario) bool {
		if len(names) == 0 {
			return full || !s.Full
		}
		return slices.Contains(names, s.Name)
	}
	var needed []string
	for _, s := range all {
		if wanted(s) && s.Of != "" {
			needed = append(needed, s.Of)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s scenario) bool { return !wanted(s) && !slices.Contains(needed, s.Name) }), nil
}

func namesOf(all []scenario) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names
}

// environment is the one that the scenario needs. Where flags change, other scenarios do not look.
func (s *scenario) environment() string {
	if s.Changes > 0 {
		return fmt.Sprintf("flags-%d-changing", s.Flags)
	}
	return fmt.Sprintf("flags-%d", s.Flags)
}

// requests returns what is sent; etag is that of the last answer to a bulk request.
func (s *scenario) requests(etag string) ([]load.Request, error) {
	switch s.Protocol {
	case overGRPC:
		message, err := resolveBoolean(askStatic)
		return []load.Request{load.GRPC(resolveBooleanMethod, message)}, err
	case overConnect:
		return []load.Request{load.HTTP("POST", resolveBooleanMethod, `{"flagKey":"`+askStatic+`","context":`+someContext+`}`)}, nil
	}
	switch s.Ask {
	case askMixed:
		return mixed(s.Flags)
	case askBulk:
		return []load.Request{load.HTTP("POST", flagsPath, `{"context":`+someContext+`}`)}, nil
	case askBulkKnown:
		return []load.Request{load.HTTP("POST", flagsPath, `{"context":`+someContext+`}`, "If-None-Match: "+etag)}, nil
	case askBulkNew:
		return askForVisitors(), nil
	}
	return []load.Request{single(s.Ask)}, nil
}

// status is that of a good answer.
func (s *scenario) status() int {
	if s.Ask == askBulkKnown {
		return 304
	}
	return 200
}
