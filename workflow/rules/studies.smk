# Studies that a default run leaves out, each a target of its own
include: "divergences.smk"
include: "onboarding.smk"
include: "feature_study.smk"
include: "confounded_patients.smk"
include: "confounding.smk"
