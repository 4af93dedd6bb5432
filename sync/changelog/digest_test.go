package changelog

import (
	"strings"
	"testing"
)

func TestDigestText(t *testing.T) {
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	d := Sum([]byte("hello"))
	if d.String() != hello {
		t.Errorf("String() = %q", d.String())
	}
	text, err := d.MarshalText()
	if err != nil || string(text) != hello {
		t.Errorf("MarshalText() = %q, %v", text, err)
	}
	var got Digest
	if err := got.UnmarshalText(text); err != nil || got != d {
		t.Errorf("UnmarshalText() = %s, %v", got, err)
	}
	for _, text := range []string{"", hello[1:], hello[2:], hello + "0", hello + "00", "g" + hello[1:], strings.ToUpper(hello)} {
		got := d
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%q) = %s", text, got)
		}
		if got != d {
			t.Errorf("UnmarshalText(%q) left %s behind", text, got)
		}
	}
	if d.IsZero() || !(Digest{}).IsZero() {
		t.Error("only the zero digest is zero")
	}
}
