// policy-verdict asks containers/image, the library of skopeo and podman, what a signature policy says of images in
// registries: policy-verdict POLICY REGISTRIES_D NAME... prints one line each, "accepted" or "rejected: why".
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
)

func main() {
	for _, name := range os.Args[3:] {
		if err := verdict(os.Args[1], os.Args[2], name); err != nil {
			fmt.Println("rejected:", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("accepted")
		}
	}
}

func verdict(policyFile, registriesFolder, name string) error {
	ctx := context.Background()
	sys := &types.SystemContext{
		SignaturePolicyPath:         policyFile,
		RegistriesDirPath:           registriesFolder,
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
		ArchitectureChoice:          "amd64",
		OSChoice:                    "linux",
	}
	policy, err := signature.DefaultPolicy(sys)
	if err != nil {
		return err
	}
	policyContext, err := signature.NewPolicyContext(policy)
	if err != nil {
		return err
	}
	defer policyContext.Destroy()
	reference, err := docker.ParseReference("//" + name)
	if err != nil {
		return err
	}
	source, err := reference.NewImageSource(ctx, sys)
	if err != nil {
		return err
	}
	defer source.Close()
	unparsed := image.UnparsedInstance(source, nil)
	bytes, mediaType, err := unparsed.Manifest(ctx)
	if err != nil {
		return err
	}
	// A copy of one platform asks for the image of that platform.
	if manifest.MIMETypeIsMultiImage(mediaType) {
		list, err := manifest.ListFromBlob(bytes, mediaType)
		if err != nil {
			return err
		}
		instance, err := list.ChooseInstance(sys)
		if err != nil {
			return err
		}
		unparsed = image.UnparsedInstance(source, &instance)
	}
	allowed, err := policyContext.IsRunningImageAllowed(ctx, unparsed)
	if err == nil && !allowed {
		err = fmt.Errorf("not allowed")
	}
	return err
}
