package webhook

import (
	"net/url"
	"strings"
	"time"

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
		Subject:     strings.ToValidUTF8(o.subject(), "\uFFFD"),
		Time:        o.event.Time.UTC().Format(time.RFC3339Nano),
		ContentType: "application/json",
		Environment: o.environment,
		Data:        o.event,
	}
}

func encodeCloudEvent(installation string, o occurrence) ([]byte, error) {
	return json.Marshal(newCloudEvent(installation, o), json.Deterministic(true))
}
