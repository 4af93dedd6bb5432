package access

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// principal returns whom the claims of a verified token stand for, if the token is for us and its time has come.
func (i *issuer) principal(token *oidc.IDToken, claims jsontext.Value) (Principal, error) {
	if !slices.ContainsFunc(token.Audience, func(a string) bool { return slices.Contains(i.Audiences, a) }) {
		return Principal{}, rejected("it is made for %.100q and not for any of %q", token.Audience, i.Audiences)
	}
	return i.person(token, claims)
}

// person returns whom the claims of a verified token stand for, if its time has come.
func (i *issuer) person(token *oidc.IDToken, claims jsontext.Value) (Principal, error) {
	if err := i.verifyTime(token, claims); err != nil {
		return Principal{}, err
	}
	subject := token.Subject
	if subject == "" || len(subject) > maxSubjectBytes || strings.ContainsFunc(subject, unicode.IsControl) {
		return Principal{}, rejected("its subject is empty, longer than %d bytes or has control characters", maxSubjectBytes)
	}
	p := Principal{Subject: i.Name + ":" + subject, Kind: KindOIDC, Name: i.name(claims)}
	if i.GroupsClaim != "" {
		p.Groups = claimTexts(claims, i.GroupsClaim)
	}
	for _, rule := range i.Groups {
		if slices.Contains(claimTexts(claims, rule.Claim), rule.Value) {
			p.Groups = append(p.Groups, rule.Group)
		}
	}
	slices.Sort(p.Groups)
	p.Groups = slices.Compact(p.Groups)
	return p, nil
}

// verifyTime checks exp, which must be there, and nbf (RFC 7519, section 4.1).
func (i *issuer) verifyTime(token *oidc.IDToken, claims jsontext.Value) error {
	now := i.now()
	if token.Expiry.IsZero() || token.Expiry.Unix() <= 0 {
		return rejected("it does not say when it expires")
	}
	if !now.Before(token.Expiry.Add(clockSkew)) {
		return rejected("it expired at %s", token.Expiry.UTC().Format(time.RFC3339))
	}
	var from struct {
		NotBefore *float64 `json:"nbf"`
	}
	if err := json.Unmarshal(claims, &from); err != nil {
		return rejected("its claim nbf is no number")
	}
	if from.NotBefore != nil && float64(now.Add(clockSkew).Unix()) < *from.NotBefore {
		return rejected("it is not valid yet")
	}
	return nil
}

// name returns a name for people, or nothing.
func (i *issuer) name(claims jsontext.Value) string {
	candidates := []string{"name", "preferred_username", "email"}
	if i.NameClaim != "" {
		candidates = []string{i.NameClaim}
	}
	for _, claim := range candidates {
		for _, text := range claimTexts(claims, claim) {
			if validateName(text) == nil {
				return text
			}
		}
	}
	return ""
}

// claimTexts returns the texts of a claim that is a text or a list of texts; anything else has none. The claim is named, or pointed to.
func claimTexts(claims jsontext.Value, claim string) []string {
	value := claims
	tokens := []string{claim}
	if strings.HasPrefix(claim, "/") {
		tokens = slices.Collect(jsontext.Pointer(claim).Tokens())
	}
	for _, token := range tokens {
		var members map[string]jsontext.Value
		if value.Kind() != '{' || json.Unmarshal(value, &members) != nil {
			return nil
		}
		value = members[token]
	}
	var one string
	if value.Kind() == '"' && json.Unmarshal(value, &one) == nil {
		return []string{one}
	}
	var all []string
	if value.Kind() == '[' && json.Unmarshal(value, &all) == nil {
		return all
	}
	return nil
}
