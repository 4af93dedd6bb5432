package webhook

import (
	"fmt"
	"maps"
	"strings"

	"github.com/go-json-experiment/json"
)

// encodeText tells an event as plain text, a line for each thing that is known.
func encodeText(o occurrence) []byte {
	m := newMessage(o)
	var b strings.Builder
	b.WriteString(m.title + "\n")
	for _, l := range m.lines {
		fmt.Fprintf(&b, "%s: %s\n", l.name, l.text)
	}
	for _, c := range m.review {
		b.WriteString(c + "\n")
	}
	if m.link != "" {
		b.WriteString(m.link + "\n")
	}
	return []byte(b.String())
}

type object = map[string]any

// encodeSlack tells an event as a message of Slack. What people wrote stands in plain_text, which Slack does not read as markup.
func encodeSlack(o occurrence) ([]byte, error) {
	m := newMessage(o)
	text := func(s string) object { return object{"type": "plain_text", "text": s, "emoji": false} }
	header := m.title
	if runes := []rune(header); len(runes) > slackHeader {
		header = string(runes[:slackHeader-1]) + "…"
	}
	blocks := []object{{"type": "header", "text": text(header)}}
	var fields []object
	for _, l := range m.lines {
		fields = append(fields, text(l.name+"\n"+l.text))
	}
	for len(fields) > 0 {
		n := min(len(fields), slackFields)
		blocks = append(blocks, object{"type": "section", "fields": fields[:n]})
		fields = fields[n:]
	}
	if len(m.review) > 0 {
		blocks = append(blocks, object{"type": "section", "text": text(strings.Join(m.review, "\n"))})
	}
	if m.link != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn", "text": "<" + slackEscaper().Replace(m.link) + "|Open the change request>"}})
	}
	return json.Marshal(object{"text": slackEscaper().Replace(m.title), "blocks": blocks}, json.Deterministic(true))
}

const (
	slackHeader = 150 // characters
	slackFields = 10  // in a section
)

// slackEscaper replaces what begins markup with a meaning in Slack: links and mentions.
func slackEscaper() *strings.Replacer {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "%7C")
}

// encodeTeams tells an event as an Adaptive Card in a message, as workflows of Teams want it. What people wrote stands in text runs, which are no markup.
func encodeTeams(o occurrence) ([]byte, error) {
	m := newMessage(o)
	run := func(s string, more ...object) object {
		r := object{"type": "TextRun", "text": s}
		for _, m := range more {
			maps.Copy(r, m)
		}
		return r
	}
	paragraph := func(runs ...object) object { return object{"type": "RichTextBlock", "inlines": runs} }
	title := object{"weight": "Bolder", "size": "Medium"}
	if m.loud {
		title["color"] = "Attention"
	}
	body := []object{paragraph(run(m.title, title))}
	for _, l := range m.lines {
		body = append(body, paragraph(run(l.name+": ", object{"weight": "Bolder"}), run(l.text)))
	}
	for _, c := range m.review {
		body = append(body, paragraph(run(c, object{"fontType": "Monospace"})))
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	if m.link != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open the change request", "url": m.link}}
	}
	return json.Marshal(object{"type": "message", "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card,
	}}}, json.Deterministic(true))
}

// encode returns an event in a format, and its media type.
func encode(f Format, installation string, o occurrence) (body []byte, media string, err error) {
	switch f {
	case FormatSlack:
		body, err = encodeSlack(o)
		return body, "application/json", err
	case FormatTeams:
		body, err = encodeTeams(o)
		return body, "application/json", err
	case FormatText:
		return encodeText(o), "text/plain; charset=utf-8", nil
	case FormatCloudEvents:
	}
	body, err = encodeCloudEvent(installation, o)
	return body, "application/cloudevents+json", err
}
