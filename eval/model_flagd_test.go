package eval

import (
	"fmt"
	"math"
	"strings"

	"github.com/twmb/murmur3"
	"golang.org/x/mod/semver"
)

func (m model) flagd(name string, l []any, isList bool, data any) any {
	if !isList {
		return nil
	}
	switch name {
	case "starts_with", "ends_with":
		if len(l) != 2 {
			return nil
		}
		s, ok1 := l[0].(string)
		affix, ok2 := l[1].(string)
		if !ok1 || !ok2 {
			return nil
		}
		if name == "starts_with" {
			return strings.HasPrefix(s, affix)
		}
		return strings.HasSuffix(s, affix)
	case "sem_ver":
		return versionModel(l)
	}
	return m.fractional(l, data)
}

func versionModel(l []any) any {
	if len(l) != 3 {
		return nil
	}
	versions := []string{}
	for _, v := range []any{l[0], l[2]} {
		s := fmt.Sprintf("%v", v)
		if !strings.HasPrefix(s, "v") {
			s = "v" + strings.TrimPrefix(s, "V")
		}
		if !semver.IsValid(s) {
			return nil
		}
		versions = append(versions, s)
	}
	a, b := versions[0], versions[1]
	order := semver.Compare(a, b)
	switch l[1] {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "^":
		return semver.Major(a) == semver.Major(b)
	case "~":
		return semver.MajorMinor(a) == semver.MajorMinor(b)
	}
	return nil
}

func (m model) fractional(l []any, data any) any {
	object, ok := data.(map[string]any)
	if len(l) == 0 || !ok {
		return nil
	}
	seed, named := l[0].(string)
	if !named {
		targetingKey, _ := object["targetingKey"].(string)
		if targetingKey == "" {
			return nil
		}
		properties, _ := object["$flagd"].(map[string]any)
		key, _ := properties["flagKey"].(string)
		seed = key + targetingKey
	}
	if named || l[0] == nil {
		l = l[1:]
	}
	type share struct {
		variant any
		weight  uint64
	}
	var shares []share
	sum := uint64(0)
	for _, v := range l {
		parts, _ := v.([]any)
		if len(parts) == 0 {
			return nil
		}
		switch parts[0].(type) {
		case map[string]any, []any:
			return nil
		}
		s := share{parts[0], 1}
		if len(parts) > 1 && parts[1] != nil {
			w, ok := parts[1].(float64)
			if !ok || w != math.Trunc(w) || w > math.MaxInt32 {
				return nil
			}
			s.weight = uint64(max(w, 0))
		}
		sum += s.weight
		shares = append(shares, s)
	}
	if sum > math.MaxInt32 {
		return nil
	}
	position, end := uint64(murmur3.StringSum32(seed))*sum>>32, uint64(0)
	for _, s := range shares {
		if end += s.weight; position < end {
			return s.variant
		}
	}
	return nil
}
