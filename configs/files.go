package configs

import "path/filepath"

// locateFiles makes the names of the files that a configuration refers to independent of the directory that
// the process runs in: what is not absolute is relative to the configuration file.
func (c *Config) locateFiles() {
	dir := filepath.Dir(c.Path)
	for _, l := range c.Listeners {
		for _, p := range l.Certificates {
			place(dir, &p.Cert, &p.Key, &p.OCSP)
		}
		if l.ClientAuth != nil {
			place(dir, &l.ClientAuth.CA)
		}
		for _, k := range l.ECH {
			place(dir, &k.Config, &k.Key)
		}
	}
	for _, p := range c.Pools {
		place(dir, &p.TLS.CA, &p.TLS.Cert, &p.TLS.Key)
	}
}

func place(dir string, names ...*string) {
	for _, name := range names {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(dir, *name)
		}
	}
}
