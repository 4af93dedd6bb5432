package following_test

import (
	"testing"

	"github.com/flagside/flagside/internal/publisher/following"
)

func TestSpecs(t *testing.T) {
	t.Parallel()
	for text, name := range map[string]string{
		"prod=/flags":              "publisher:/flags",
		"prod=/flags/../other/":    "publisher:/other",
		"prod=/a=b":                "publisher:/a=b",
		"staging=kubernetes:shop":  "publisher:kubernetes:shop",
		"prod=kubernetes:":         "",
		"prod=kubernetes:Shop":     "",
		"prod=kubernetes:-shop":    "",
		"prod=kubernetes:shop/all": "",
		"prod":                     "",
		"prod=":                    "",
		"=/flags":                  "",
		"no environment=/flags":    "",
		"prod=/flags\x1b[2J":       "",
	} {
		s, err := following.ParseSpec(text)
		if (err == nil) != (name != "") || err == nil && s.Name() != name {
			t.Errorf("%q: %+v, %v; want %q", text, s, err, name)
		}
	}
	if _, err := following.ParseSpecs([]string{"prod=/flags", "prod=/flags/"}); err == nil {
		t.Error("the same source twice passes")
	}
	if all, err := following.ParseSpecs([]string{"prod=/flags", "staging=/flags"}); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}
