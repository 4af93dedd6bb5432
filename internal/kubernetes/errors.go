package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

var (
	// ErrNotFound means that the object does not exist; when it is to be created, that its namespace does not.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the object was changed since it was read, or exists when it is to be created.
	ErrConflict = errors.New("conflict")
	// ErrForbidden means that the API server knows who asks, and permits it not.
	ErrForbidden = errors.New("forbidden")
	// ErrExpired means that the API server no longer has what came after a resource version, or the rest of a list: list again.
	ErrExpired = errors.New("expired")
)

// maxMessage bounds what is shown of a message of the API server, in bytes.
const maxMessage = 500

// StatusError is an answer of the API server that says no. ErrNotFound, ErrConflict, ErrForbidden and ErrExpired match it.
type StatusError struct {
	Code   int    // of HTTP
	Reason string // such as AlreadyExists; empty if something else than an API server answers
	// Message is what the API server says; empty where it may repeat what was sent.
	Message string
}

func (e *StatusError) Error() string {
	switch {
	case e.Message != "":
		return fmt.Sprintf("the API server answers %d: %s", e.Code, e.Message)
	case e.Reason != "":
		return fmt.Sprintf("the API server answers %d (%s)", e.Code, e.Reason)
	default:
		return fmt.Sprintf("answer %d, which is not one of a Kubernetes API server", e.Code)
	}
}

// Is tells what kind of a no it is.
func (e *StatusError) Is(target error) bool {
	if e.Reason == "" {
		return false
	}
	switch target {
	case ErrNotFound:
		return e.Code == http.StatusNotFound
	case ErrConflict:
		return e.Code == http.StatusConflict
	case ErrForbidden:
		return e.Code == http.StatusForbidden
	case ErrExpired:
		return e.Code == http.StatusGone
	default:
		return false
	}
}

// parseStatus reads an answer that says no.
func parseStatus(code int, text []byte) *StatusError {
	var status struct {
		Kind    string `json:"kind"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	e := &StatusError{Code: code}
	if err := json.Unmarshal(text, &status); err != nil || status.Kind != "Status" {
		return e
	}
	if e.Reason = printable(status.Reason); e.Reason == "" {
		e.Reason = "Unknown"
	}
	if tells(code, status.Message) {
		e.Message = printable(status.Message)
	}
	return e
}

// tells reports whether a message says something to people and repeats nothing of what was sent: a request that is malformed may be repeated.
func tells(code int, message string) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	default:
		return strings.HasPrefix(message, "admission webhook ")
	}
}

// printable returns text for one line of a log.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}
