package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schema is what is read of a JSON schema of the description of the API.
type schema struct {
	Ref                  string         `json:"$ref"`
	Type                 jsontext.Value `json:"type"` // a string, or a list of strings
	Description          string         `json:"description"`
	Enum                 []string       `json:"enum"`
	Items                *schema        `json:"items"`
	Properties           jsontext.Value `json:"properties"`
	AdditionalProperties jsontext.Value `json:"additionalProperties"` // a boolean, or a schema
	Required             []string       `json:"required"`
}

// typesOf returns TypeScript interfaces of all schemas of a description of the API, in the order of their names.
func typesOf(description []byte) ([]byte, error) {
	var all struct {
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(description, &all); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("// Generated from api/openapi.json by go run ./build/console. Do not edit.\n")
	names := make([]string, 0, len(all.Components.Schemas))
	for name := range all.Components.Schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := all.Components.Schemas[name]
		members, err := s.members()
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		fmt.Fprintf(&out, "\nexport interface %s {\n", name)
		for _, m := range members {
			if m.Description != "" {
				fmt.Fprintf(&out, "  /** %s */\n", strings.ReplaceAll(m.Description, "*/", "*\\/"))
			}
			optional := "?"
			if slices.Contains(s.Required, m.name) {
				optional = ""
			}
			fmt.Fprintf(&out, "  %q%s: %s;\n", m.name, optional, m.typescript())
		}
		out.WriteString("}\n")
	}
	return out.Bytes(), nil
}

// member is a property of a schema.
type member struct {
	name string
	schema
}

// members returns the properties in the order in which they stand.
func (s schema) members() ([]member, error) {
	var all []member
	decoder := jsontext.NewDecoder(bytes.NewReader(s.Properties))
	if len(s.Properties) == 0 {
		return nil, nil
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, err
	}
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		if err := json.UnmarshalDecode(decoder, &m.schema); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// typescript returns the type of what a schema describes.
func (s schema) typescript() string {
	if s.Ref != "" {
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	}
	if len(s.Enum) != 0 {
		all := make([]string, len(s.Enum))
		for i, value := range s.Enum {
			all[i] = fmt.Sprintf("%q", value)
		}
		return strings.Join(all, " | ")
	}
	kind := string(s.Type)
	switch {
	case strings.Contains(kind, "array") && s.Items != nil:
		return "Array<" + s.Items.typescript() + ">"
	case strings.Contains(kind, "object"):
		var values schema
		if json.Unmarshal(s.AdditionalProperties, &values) == nil {
			return "{ [name: string]: " + values.typescript() + " }"
		}
		return "{ [name: string]: unknown }"
	case strings.Contains(kind, "integer"), strings.Contains(kind, "number"):
		return "number"
	case strings.Contains(kind, "string"):
		return "string"
	case strings.Contains(kind, "boolean"):
		return "boolean"
	default:
		return "unknown"
	}
}
