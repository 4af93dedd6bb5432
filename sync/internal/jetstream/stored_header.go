package jetstream

import (
	"maps"
	"slices"
	"strings"
)

// added are the headers that the server adds to a message when it delivers it, each once and behind those of the same name that were stored.
var added = []string{"Nats-Stream", "Nats-Subject", headerSequence, "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence"}

// HeaderField is one header of a message. A name may come several times.
type HeaderField struct{ Name, Value string }

// StoredHeader returns the headers that a message was stored with, by name, the values of each in their order.
func (m Message) StoredHeader() []HeaderField {
	delivered := len(m.header[headerSequence]) > 0 && m.Headers == nil // by a direct get
	var fields []HeaderField
	for _, name := range slices.Sorted(maps.Keys(m.header)) {
		values := m.header[name]
		if delivered && slices.Contains(added, name) {
			values = values[:len(values)-1]
		}
		for _, value := range values {
			fields = append(fields, HeaderField{name, value})
		}
	}
	return fields
}

// AddHeader adds a header. One by which the server would be told what to do is left out, and false is returned.
func (m Outgoing) AddHeader(f HeaderField) bool {
	if strings.HasPrefix(strings.ToLower(f.Name), "nats-") {
		return false
	}
	m.msg.Header[f.Name] = append(m.msg.Header[f.Name], f.Value)
	return true
}
