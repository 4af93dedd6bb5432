package webhook

import (
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/api"
)

// typePrefix begins the types of our CloudEvents.
const typePrefix = "dev.flagside."

// cloudEvent is an event in the JSON format of CloudEvents 1.0, structured mode.
type cloudEvent struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject,omitzero"`
	Time        string    `json:"time"`
	ContentType string    `json:"datacontenttype"`
	Environment string    `json:"environment"` // an extension: what a receiver routes by
	Data        api.Event `json:"data"`
}

func newCloudEvent(installation string, o occurrence) cloudEvent {
	return cloudEvent{
		SpecVersion: "1.0",
		ID:          o.id,
		Source:      "urn:flagside:" + url.PathEscape(installation) + ":" + url.PathEscape(o.environment),
		Type:        typePrefix + o.event.Type,
		Subject:     attribute(o.subject()),
		Time:        o.event.Time.UTC().Format(time.RFC3339Nano),
		ContentType: "application/json",
		Environment: o.environment,
		Data:        o.event,
	}
}

// attribute returns text if CloudEvents allows it in an attribute, and otherwise nothing: control characters and what Unicode has for no use are not.
func attribute(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r) || r == utf8.RuneError
	}) {
		return ""
	}
	return text
}

func encodeCloudEvent(installation string, o occurrence) ([]byte, error) {
	return json.Marshal(newCloudEvent(installation, o), json.Deterministic(true))
}
