package events

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/jsonbody"
)

// The limits of a request with events.
const (
	// MaxBody is how many bytes its body has at most.
	MaxBody = 64 << 10
	// MaxEvents is how many events it has at most.
	MaxEvents = 100
	// MaxName is how many bytes the name of an outcome has at most, and MaxFlags how many flags it names.
	MaxName  = 255
	MaxFlags = 50
)

// Event is one thing that an application tells: an outcome, or with Exposure that a subject was shown a variant.
type Event struct {
	// Event names what happened; it is empty with Exposure.
	Event string `json:"event"`
	// TargetingKey names to whom, as evaluation contexts do; it may be empty.
	TargetingKey string   `json:"targetingKey"`
	Value        float64  `json:"value"`
	Error        bool     `json:"error"`
	Flags        []string `json:"flags"`
	Exposure     *Shown   `json:"exposure"`
}

// Shown is a variant that a client showed, which has it from an answer for all flags.
type Shown struct {
	Flag    string `json:"flag"`
	Variant string `json:"variant"`
	// Version is the metadata of the answer of that name: the revision of the flag. 0 means the present one.
	Version uint64 `json:"version"`
}

// Parse reads the body of a request: an event, or a list of them. Members that are not known are ignored, and text that is not UTF-8 is read as in
// evaluation contexts. The error names the place in the body and what is wrong there, without quoting any value.
func Parse(body []byte) ([]Event, error) {
	body = bytes.Trim(body, " \t\r\n")
	all, list := make([]Event, 1), len(body) > 0 && body[0] == '['
	var into any = &all[0]
	if list {
		all, into = nil, &all
	}
	switch err := jsonbody.Read(body, into, shape()); {
	case err != nil:
		return nil, err
	case string(body) == "null":
		return nil, errors.New("the body is null: want an event, or a list of events")
	case len(all) == 0:
		return nil, errors.New("the list is empty: want 1 to " + strconv.Itoa(MaxEvents) + " events")
	case len(all) > MaxEvents:
		return nil, fmt.Errorf("%d events: want at most %d in one request", len(all), MaxEvents)
	}
	for i := range all {
		if err := all[i].validate(); err != nil {
			if list {
				return nil, fmt.Errorf("/%d%w", i, err)
			}
			return nil, err
		}
	}
	return all, nil
}

// shape says what a body must be.
func shape() jsonbody.Shape {
	const event = "want an event, which is an object"
	return jsonbody.Shape{Whole: event + ", or a list of events", Members: map[string]string{
		"/": event, "event": "want a string", "targetingKey": "want a string", "value": "want a number", "error": "want true or false",
		"flags": "want a list of keys", "flags/": "want a string",
		"exposure": "want an object", "flag": "want a string", "variant": "want a string", "version": "want a whole number",
	}}
}

// validate returns the place inside an event that is wrong, and how.
func (e *Event) validate() error {
	if e.Exposure != nil {
		return e.validateExposure()
	}
	switch {
	case e.Event == "":
		return errors.New("/event: missing: name what happened, for example \"purchase\"")
	case len(e.Event) > MaxName:
		return fmt.Errorf("/event: %d bytes: want at most %d", len(e.Event), MaxName)
	case strings.ContainsFunc(e.Event, unicode.IsControl):
		return errors.New("/event: control characters: want a name such as \"purchase\"")
	case len(e.Flags) > MaxFlags:
		return fmt.Errorf("/flags: %d flags: want at most %d", len(e.Flags), MaxFlags)
	}
	for i, key := range e.Flags {
		if key == "" || len(key) > document.MaxKey || strings.ContainsFunc(key, unicode.IsControl) {
			return fmt.Errorf("/flags/%d: want the key of a flag", i)
		}
	}
	return nil
}

func (e *Event) validateExposure() error {
	switch {
	case e.Event != "" || e.Value != 0 || e.Error || e.Flags != nil:
		return errors.New("/exposure: an exposure has only targetingKey beside it: tell outcomes in events of their own")
	case e.TargetingKey == "":
		return errors.New("/targetingKey: missing: name who was shown the variant")
	case e.Exposure.Flag == "" || len(e.Exposure.Flag) > document.MaxKey:
		return errors.New("/exposure/flag: want the key of a flag")
	case e.Exposure.Variant == "":
		return errors.New("/exposure/variant: want the name of the variant that was shown")
	}
	return nil
}
