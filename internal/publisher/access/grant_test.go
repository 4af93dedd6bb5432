package access_test

import (
	"errors"
	"testing"

	"github.com/flagside/flagside/internal/publisher/access"
)

// salt stands for the secret of a session.
const salt = "a-secret-of-a-session"

// personGrant is the grant of Ada by an issuer, as it was when she had changed nothing yet, or had the id.
func personGrant(settings, id string) access.Grant {
	p := ada()
	return access.Grant{ID: id, Subject: p.Subject, Name: p.Name, Kind: p.Kind, Groups: []string{access.RoleEditor}, Settings: settings}
}

// A person who was let in gets the id that records have, as soon as there is one, and is let in no more once erased, or by settings of another kind.
func TestReaffirmPersons(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	people := i.people(t)
	issuer := access.Issuer{Name: "corp", URL: "https://issuer.example", Audiences: []string{"api"}, SignIn: &access.SignIn{ClientID: "c", RedirectURL: "https://flags.example/console/callback"}}
	a := authenticator(t, access.AuthenticatorOptions{People: people, Issuers: []access.Issuer{issuer}})
	settings := a.CodeFlow().Settings()

	if p, err := a.Reaffirm(personGrant(settings, ""), salt); err != nil || p.ID != "" || p.PolicyID() != ada().Subject {
		t.Errorf("before the first change: %+v, %v", p, err)
	}
	id := identify(t, people, ada())
	if p, err := a.Reaffirm(personGrant(settings, ""), salt); err != nil || p.ID != id || p.Groups[0] != access.RoleEditor {
		t.Errorf("after it: %+v, %v", p, err)
	}
	if _, err := a.Reaffirm(personGrant("other", id), salt); !errors.Is(err, access.ErrRejected) {
		t.Errorf("with other settings: %v", err)
	}
	unread := authenticator(t, access.AuthenticatorOptions{People: access.NewPeople(), Issuers: []access.Issuer{issuer}})
	if _, err := unread.Reaffirm(personGrant(settings, id), salt); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("before persons were read: %v", err)
	}
	if _, err := people.Erase(t.Context(), access.Principal{ID: "token:admin"}, id, access.Why{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Reaffirm(personGrant(settings, id), salt); !errors.Is(err, access.ErrRejected) {
		t.Errorf("after the erasure: %v", err)
	}
}

// What is not the token that let someone in lets no one in again: nor does a JSON Web Token, however good, become a session.
func TestAdmitAndReaffirmTokens(t *testing.T) {
	t.Parallel()
	const secret = "flagside_a-fixed-token-of-forty-bytes-or-more"
	holder := access.Principal{ID: "ada", Kind: access.KindToken, Groups: []string{access.RoleEditor}}
	with := func(f ...access.FixedToken) *access.Authenticator {
		return authenticator(t, access.AuthenticatorOptions{Tokens: access.NewTokens(nil, 0), Fixed: f})
	}
	a := with(access.FixedToken{Secret: secret, Principal: holder})
	g, err := a.Admit(secret, salt)
	if err != nil || g.Fixed == "" || g.Principal().ID != "ada" {
		t.Fatalf("%+v, %v", g, err)
	}
	if p, err := a.Reaffirm(g, salt); err != nil || p.ID != "ada" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, token := range []string{"", "a.b.c", secret + "x", "flagside_"} {
		if _, err := a.Admit(token, salt); !errors.Is(err, access.ErrRejected) {
			t.Errorf("%q: %v", token, err)
		}
	}
	for name, check := range map[string]func() error{
		"another salt":  func() error { _, err := a.Reaffirm(g, "other"); return err },
		"no such token": func() error { _, err := with().Reaffirm(g, salt); return err },
		"nothing":       func() error { _, err := a.Reaffirm(access.Grant{}, ""); return err },
		"another secret": func() error {
			_, err := with(access.FixedToken{Secret: secret + "x", Principal: holder}).Reaffirm(g, salt)
			return err
		},
	} {
		if err := check(); !errors.Is(err, access.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Reaffirm(access.Grant{ID: "token:x", Kind: access.KindToken}, salt); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("before tokens were read: %v", err)
	}
}
