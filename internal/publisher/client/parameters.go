package client

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"
)

// addParameters adds the members of a struct that have tags query and header, and those of structs embedded in it. Zero values are left out.
func addParameters(query url.Values, header http.Header, parameters any) {
	all := reflect.ValueOf(parameters)
	for field, value := range all.Fields() {
		switch {
		case field.Anonymous:
			addParameters(query, header, value.Interface())
		case value.IsZero():
		case field.Tag.Get("query") != "":
			query.Set(field.Tag.Get("query"), parameter(value.Interface()))
		case field.Tag.Get("header") != "":
			header.Set(field.Tag.Get("header"), parameter(value.Interface()))
		}
	}
}

func parameter(value any) string {
	if at, ok := value.(time.Time); ok {
		return at.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value)
}
