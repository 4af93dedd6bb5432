package eval

import (
	"encoding/json"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// jsonSchema is what api/flags.schema.json uses of JSON Schema. An unknown keyword makes reading it fail.
type jsonSchema struct {
	Schema        string                `json:"$schema"`
	ID            string                `json:"$id"`
	Ref           string                `json:"$ref"`
	Title         string                `json:"title"`
	Description   string                `json:"description"`
	Definitions   map[string]jsonSchema `json:"definitions"`
	Type          any                   `json:"type"`
	Enum          []any                 `json:"enum"`
	Pattern       string                `json:"pattern"`
	Examples      []any                 `json:"examples"`
	Properties    map[string]jsonSchema `json:"properties"`
	Patterns      map[string]jsonSchema `json:"patternProperties"`
	Names         *jsonSchema           `json:"propertyNames"`
	Additional    json.RawMessage       `json:"additionalProperties"`
	Required      []string              `json:"required"`
	Items         json.RawMessage       `json:"items"`
	AllOf         []jsonSchema          `json:"allOf"`
	AnyOf         []jsonSchema          `json:"anyOf"`
	Minimum       *float64              `json:"minimum"`
	MinLength     int                   `json:"minLength"`
	MinItems      int                   `json:"minItems"`
	MaxItems      *int                  `json:"maxItems"`
	MinProperties int                   `json:"minProperties"`
	MaxProperties *int                  `json:"maxProperties"`
}

func readSchema(t *testing.T) jsonSchema {
	t.Helper()
	text, err := os.ReadFile("../api/flags.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schemaOf(t, text)
}

func schemaOf(t *testing.T, text []byte) (s jsonSchema) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// validator checks values against a schema.
type validator struct {
	t    *testing.T
	root jsonSchema
}

// valid returns why a value is not as a schema says.
func (v validator) valid(s jsonSchema, value any, at string) error {
	if s.Ref != "" {
		if err := v.valid(v.referred(s.Ref), value, at); err != nil {
			return err
		}
	}
	if s.Type != nil && !slices.ContainsFunc(namesOf(s.Type), func(name string) bool { return isType(name, value) }) {
		return fmt.Errorf("%s: %v is no %v", at, value, s.Type)
	}
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(one any) bool { return reflect.DeepEqual(one, value) }) {
		return fmt.Errorf("%s: %v is none of %v", at, value, s.Enum)
	}
	for _, one := range s.AllOf {
		if err := v.valid(one, value, at); err != nil {
			return err
		}
	}
	if s.AnyOf != nil {
		var errs []error
		for _, one := range s.AnyOf {
			errs = append(errs, v.valid(one, value, at))
		}
		if !slices.Contains(errs, nil) {
			return fmt.Errorf("%s: none of %d: %w", at, len(errs), errs[len(errs)-1])
		}
	}
	switch value := value.(type) {
	case string:
		if utf8.RuneCountInString(value) < s.MinLength || s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(value) {
			return fmt.Errorf("%s: %q is not as wanted", at, value)
		}
	case float64:
		if s.Minimum != nil && value < *s.Minimum {
			return fmt.Errorf("%s: %v is too small", at, value)
		}
	case []any:
		return v.validList(s, value, at)
	case map[string]any:
		return v.validObject(s, value, at)
	}
	return nil
}

func (v validator) validList(s jsonSchema, list []any, at string) error {
	if len(list) < s.MinItems || s.MaxItems != nil && len(list) > *s.MaxItems {
		return fmt.Errorf("%s: there are %d items", at, len(list))
	}
	for i, item := range list {
		one := s.Items
		if len(one) > 0 && one[0] == '[' {
			var each []json.RawMessage
			if err := json.Unmarshal(one, &each); err != nil || i >= len(each) {
				continue
			}
			one = each[i]
		}
		if len(one) == 0 {
			continue
		}
		if err := v.valid(schemaOf(v.t, one), item, at+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) validObject(s jsonSchema, object map[string]any, at string) error {
	if len(object) < s.MinProperties || s.MaxProperties != nil && len(object) > *s.MaxProperties {
		return fmt.Errorf("%s: there are %d members", at, len(object))
	}
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			return fmt.Errorf("%s: %s is missing", at, name)
		}
	}
	for name, value := range object {
		if s.Names != nil {
			if err := v.valid(*s.Names, name, at); err != nil {
				return err
			}
		}
		one, known := s.Properties[name]
		for pattern := range s.Patterns {
			known = known || regexp.MustCompile(pattern).MatchString(name)
		}
		switch {
		case known:
		case string(s.Additional) == "false":
			return fmt.Errorf("%s: %s is not known", at, name)
		case len(s.Additional) > 0:
			one = schemaOf(v.t, s.Additional)
		}
		if err := v.valid(one, value, at+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) referred(ref string) jsonSchema {
	s := v.root
	for path := strings.Split(strings.TrimPrefix(ref, "#/"), "/"); len(path) > 0; path = path[2:] {
		members := s.Definitions
		if path[0] == "properties" {
			members = s.Properties
		}
		next, ok := members[path[1]]
		if !ok {
			v.t.Fatalf("%s leads nowhere", ref)
		}
		s = next
	}
	return s
}

func namesOf(types any) []string {
	if one, ok := types.(string); ok {
		return []string{one}
	}
	var names []string
	for _, one := range types.([]any) {
		names = append(names, one.(string))
	}
	return names
}

func isType(name string, value any) bool {
	n, isNumber := value.(float64)
	switch name {
	case "null":
		return value == nil
	case "integer":
		return isNumber && n == float64(int64(n))
	case "number":
		return isNumber
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "string":
		_, ok := value.(string)
		return ok
	case "array":
		_, ok := value.([]any)
		return ok
	default:
		_, ok := value.(map[string]any)
		return ok
	}
}

// The schema and the compiler know the same members of flags and the same operators.
func TestSchemaKnowsWhatIsCompiled(t *testing.T) {
	s := readSchema(t)
	known := slices.Concat(casesOf(t, "definition.go", "readMember"), casesOf(t, "definition_own.go", "readOwn"))
	slices.Sort(known)
	if got := slices.Sorted(maps.Keys(s.Definitions["flag"].Properties)); !slices.Equal(got, known) {
		t.Errorf("the schema has the members %q, the compiler %q", got, known)
	}
	listed := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Definitions["listedFlag"].Properties)), func(name string) bool { return name == "key" })
	if !slices.Equal(listed, known) {
		t.Errorf("flags in lists have the members %q, the compiler %q", listed, known)
	}
	operators := strings.Split(operatorNames, ", ")
	slices.Sort(operators)
	if got := slices.Sorted(maps.Keys(s.Definitions["operation"].Properties)); !slices.Equal(got, operators) {
		t.Errorf("the schema has the operators %q, the compiler %q", got, operators)
	}
}

// casesOf returns the texts that a function of a file compares with in its switch statements.
func casesOf(t *testing.T, file, function string) (names []string) {
	t.Helper()
	parsed, err := goparser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			clause, ok := n.(*ast.CaseClause)
			if !ok {
				return true
			}
			for _, e := range clause.List {
				if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
					name, _ := strconv.Unquote(text.Value)
					names = append(names, name)
				}
			}
			return true
		})
	}
	if len(names) == 0 {
		t.Fatalf("%s has no function %s that compares", file, function)
	}
	return names
}

// Each example of the schema is valid by it, and compiles.
func TestExamplesOfSchemaCompile(t *testing.T) {
	v := validator{t, readSchema(t)}
	for name, member := range v.root.Definitions["flag"].Properties {
		if len(member.Examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, example := range member.Examples {
			flag := map[string]any{"state": "ENABLED", "variants": map[string]any{"on": true, "off": false}, "defaultVariant": "on"}
			flag[name] = example
			file := map[string]any{"$schema": "x", "flags": map[string]any{"a": flag, "other": map[string]any{"state": "ENABLED", "variants": map[string]any{"on": true}}}}
			if err := v.valid(v.root, file, ""); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text, err := json.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, problems := ParseFile(text, ""); problems.Err() != nil {
				t.Errorf("%s: %v", name, problems.Err())
			}
		}
	}
}

// What loads is valid by the schema, and what it refuses does not load.
func TestSchemaAgreesWithFiles(t *testing.T) {
	v := validator{t, readSchema(t)}
	names, err := filepath.Glob("../examples/*.json")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.Concat(names, testFiles(t, "files/*/*.json"), testFiles(t, "cases/*/flags.json"))
	accepted, refused := 0, 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file any
		if json.Unmarshal(text, &file) != nil {
			continue
		}
		_, problems := ParseFile(text, "")
		invalid := v.valid(v.root, file, "")
		switch loads := problems.Err() == nil; {
		case loads && invalid != nil:
			t.Errorf("%s loads and is not valid: %v", name, invalid)
		case loads:
			accepted++
		case invalid != nil:
			refused++
		}
	}
	if accepted < 10 || refused < 20 {
		t.Errorf("only %d files were valid, and %d of those that do not load invalid", accepted, refused)
	}
	t.Logf("%d files are valid, and %d of those that do not load are not", accepted, refused)
}
