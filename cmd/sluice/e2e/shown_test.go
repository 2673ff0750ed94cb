//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// certificates is what a balancer that ends TLS shows, each in the folder NAME/live, signed by an authority
// that the nodes know nothing of. live is a link, as Kubernetes and certbot have it.
type certificates struct {
	authority *cluster.Authority
	dir, ca   string
	versions  int // how many folders there were
}

// newCertificates makes one for each name, which live as long as the test.
func newCertificates(t *testing.T, names ...string) *certificates {
	t.Helper()
	authority, err := cluster.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	c := &certificates{authority: authority, dir: t.TempDir()}
	c.ca = filepath.Join(c.dir, "ca.crt")
	if err := authority.WriteCA(c.ca); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := c.relink(name); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// live is the folder with the certificate of a name and its key.
func (c *certificates) live(name string) string { return filepath.Join(c.dir, name, "live") }

// rewrite writes over both files, one after the other.
func (c *certificates) rewrite(name string) error { return c.authority.Issue(c.live(name), name) }

// rename puts other files in the place of both, one after the other.
func (c *certificates) rename(name string) error {
	next := filepath.Join(c.dir, name, "next")
	if err := c.authority.Issue(next, name); err != nil {
		return err
	}
	for _, file := range []string{"private.key", "public.crt"} {
		if err := os.Rename(filepath.Join(next, file), filepath.Join(c.live(name), file)); err != nil {
			return err
		}
	}
	return nil
}

// relink makes live another folder, at once.
func (c *certificates) relink(name string) error {
	c.versions++
	folder := fmt.Sprint("v", c.versions)
	if err := c.authority.Issue(filepath.Join(c.dir, name, folder), name); err != nil {
		return err
	}
	next := c.live(name) + ".next"
	if err := os.Symlink(folder, next); err != nil {
		return err
	}
	return os.Rename(next, c.live(name))
}

// spoil puts a good certificate beside a key that is another's.
func (c *certificates) spoil(name string) error {
	next := filepath.Join(c.dir, name, "next")
	if err := c.authority.Issue(next, name); err != nil {
		return err
	}
	return os.Rename(filepath.Join(next, "public.crt"), filepath.Join(c.live(name), "public.crt"))
}
