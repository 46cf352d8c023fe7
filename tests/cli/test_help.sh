#!/bin/sh
# What helps a user of the command line: help, first file, keys, completion, quiet and JSON output, who made a result.
#   sh test_help.sh PROGRAM
set -eu
comodal=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive

fail() { echo "FAILED: $1" >&2; exit 1; }
has() { grep -qF -- "$1" "$2" || { cat "$2" >&2; fail "no '$1' in $2"; }; }
lacks() { ! grep -qF -- "$1" "$2" || { cat "$2" >&2; fail "'$1' in $2"; }; }

echo "help: an order of verbs, an example each, no path of the program"
"$comodal" --help >help.txt
has "The usual order" help.txt
verbs=$(sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p' help.txt)
[ "$(echo "$verbs" | wc -w)" -ge 17 ] || fail "verbs: $verbs"
for verb in $verbs; do
  "$comodal" "$verb" --help >verb.txt
  grep -qE "^Example: (comodal $verb|source <\(comodal $verb)" verb.txt || { cat verb.txt >&2; fail "$verb has no example"; }
  lacks "$(dirname "$comodal")" verb.txt
done
"$comodal" train --help >verb.txt
has "Usage: comodal train [OPTIONS] experiment folder" verb.txt
has "steps = 2000                  # number of updates of the weights" verb.txt
got=0; "$comodal" train >out.txt 2>&1 || got=$?
[ $got = 2 ] || fail "train without arguments: $got"
lacks "$(dirname "$comodal")" out.txt

echo "keys: by a word, all as a page, an unknown word"
"$comodal" keys learning_rate >keys.txt
has "optimiser.learning_rate = 0.01" keys.txt
[ "$(wc -l <keys.txt)" -lt 5 ] || fail "too many keys"
"$comodal" keys --markdown >keys.md
has '| `learning_rate` | `0.01` |' keys.md
got=0; "$comodal" keys xyzzy >out.txt 2>&1 || got=$?
[ $got = 2 ] && grep -q "no key has 'xyzzy' in its name" out.txt || fail "an unknown word: $got"

echo "hints: words of the field"
: >empty.toml
for pair in "optimizer.lr=optimiser.learning_rate" "train.epochs=train.steps" "amp=model.precision" \
  "data.roi_size=batch.patch_size" "train.num_workers=prefetch.threads" "train.early_stopping=validate_every"; do
  got=0; "$comodal" prepare empty.toml "--${pair%%=*}" 3 >out.txt 2>&1 || got=$?
  [ $got = 2 ] || fail "$pair: status $got"
  has "${pair#*=}" out.txt
done

echo "completion: the scripts are of their shells, and complete verbs, options, keys, methods and files"
"$comodal" completion bash >completion.bash
bash -n completion.bash || fail "no script of bash"
cat >complete.bash <<'B'
. ./completion.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _comodal; printf '%s\n' "${COMPREPLY[@]}"
B
bash complete.bash comodal tr >out.txt; has train out.txt; lacks predict out.txt
bash complete.bash comodal train --res >out.txt; has --resume out.txt
bash complete.bash comodal train --optimiser.l >out.txt; has --optimiser.learning_rate out.txt
bash complete.bash comodal train x y --method.name mean >out.txt; has mean_teacher out.txt; lacks supervised out.txt
bash complete.bash comodal check compl >out.txt; has completion.bash out.txt
bash complete.bash comodal check --optimiser >out.txt; lacks learning_rate out.txt
"$comodal" completion zsh >_comodal
has "#compdef comodal" _comodal
if command -v zsh >/dev/null; then
  zsh -n _comodal || fail "no script of zsh"
  zsh -f -c 'autoload -U compinit; compinit -u -d ./dump; source ./_comodal; [[ -n ${_comps[comodal]} ]]' || fail "zsh does not take it"
else
  echo "  zsh is not installed: its script was not tried"
fi
got=0; "$comodal" completion fish >out.txt 2>&1 || got=$?
[ $got = 2 ] || fail "fish: $got"

echo "init: a first file that trains, and replaces nothing"
"$comodal" phantom cohort --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 2 \
  --phantom.unlabelled 3 --phantom.test 1 >/dev/null
"$comodal" init first.toml --method supervised >out.txt
has "first.toml: edit it" out.txt
has 'folder = "cohort"' first.toml
has "# fold = -1" first.toml
cp first.toml copy.toml
got=0; "$comodal" init first.toml >out.txt 2>&1 || got=$?
[ $got = 2 ] && cmp -s first.toml copy.toml || fail "init over a file: $got"
"$comodal" train first.toml run --model.stream_channels 2,4 --model.fused_channels 4,8 --batch.patch_size 16,16,8 --train.steps 6 \
  --data.normalise head --quiet >out.txt 2>err.txt
! grep -v "^warning: " err.txt >&2 || fail "quiet, and yet it speaks"
has "step 6 of 6" out.txt

echo "who made it: the run, the model, the masks"
commit=$("$comodal" info --json | sed -n 's/.*"commit": "\(.*\)".*/\1/p')
has '"first_step": 0' run/provenance.json
has '"finished": true' run/provenance.json
has "train first.toml run --model.stream_channels 2,4" run/provenance.json
has "\"model.safetensors\": \"$(sha256sum run/model.safetensors | cut -d' ' -f1)\"" run/provenance.json
"$comodal" predict run/model.safetensors cohort/imagesTs masks --quiet >out.txt 2>err.txt
! grep -v "^warning: " err.txt >&2 || fail "predict --quiet speaks"
has "\"run/model.safetensors\": \"$(sha256sum run/model.safetensors | cut -d' ' -f1)\"" masks/predictions.json
image=$(ls cohort/imagesTs/*.nii.gz | head -1)
has "\"$(basename "$image")\": \"$(sha256sum "$image" | cut -d' ' -f1)\"" masks/predictions.json
has '"host": ' masks/predictions.json
has "predict run/model.safetensors cohort/imagesTs masks --quiet" masks/predictions.json
"$comodal" predict run/model.safetensors cohort/imagesTs masks --continue >/dev/null 2>&1
[ "$(grep -c '"command": ' masks/predictions.json)" = 1 ] || fail "a call that made no mask is recorded"
rm "$(ls masks/*.nii.gz | head -1)"
"$comodal" predict run/model.safetensors cohort/imagesTs masks --continue >/dev/null 2>&1
[ "$(grep -c '"command": ' masks/predictions.json)" = 2 ] || fail "the call that made a mask again is not recorded"
[ "$(grep -c '"processor": ' masks/predictions.json)" = 2 ] || fail "the processor is not recorded"
"$comodal" info run >info.txt
for words in "window           16 x 16 x 8 voxels along i, j, k" "trained on       2 labelled and 3 unlabelled cases" \
  "modalities       FLAIR, T1, T1ce, T2" "command          " "sha256           "; do has "$words" info.txt; done
[ -z "$commit" ] || has "commit $commit" info.txt
"$comodal" info run --json >info.json
has '"axes_of_sizes": "i, j, k"' info.json
tr -d ' \n' <info.json | grep -q '"patch_size":\[16,16,8\]' || fail "sizes of info --json"
cp run/model.safetensors alone.safetensors
"$comodal" info alone.safetensors >info.txt
has "made by          comodal" info.txt
lacks "command          " info.txt
"$comodal" info --cite >cite.txt
has "@software{comodal" cite.txt
has "$("$comodal" --version)" cite.txt

echo "the same bytes from another folder, with another number of threads"
cp -r cohort other
"$comodal" train first.toml again --model.stream_channels 2,4 --model.fused_channels 4,8 --batch.patch_size 16,16,8 --train.steps 6 \
  --data.folder other --compute.threads 1 --train.log_every 1 >/dev/null 2>&1
cmp run/model.safetensors again/model.safetensors || fail "provenance changes the bytes of a model"

echo "a finished run that is resumed stays as it is"
cp -r run finished
"$comodal" train first.toml finished --model.stream_channels 2,4 --model.fused_channels 4,8 --batch.patch_size 16,16,8 --train.steps 6 \
  --resume >out.txt 2>&1 || { cat out.txt >&2; fail "resume of a finished run"; }
has "the run is finished; nothing is written" out.txt
diff -r run finished || fail "the resume of a finished run changes files"

echo "names of patients are not in a model"
"$comodal" train first.toml one --model.stream_channels 2,4 --model.fused_channels 4,8 --batch.patch_size 16,16,8 --train.steps 1 \
  --data.labelled phantom_0000 --quiet >/dev/null 2>&1
has phantom_0000 one/experiment.toml
! grep -aq phantom_0 one/model.safetensors || fail "a model names a patient"

echo "check --json"
"$comodal" check cohort --json >check.json
has '"errors": 0' check.json
echo broken >cohort/imagesTr/$(ls cohort/imagesTr | head -1)
got=0; "$comodal" check cohort --json >check.json || got=$?
[ $got = 2 ] || fail "check --json of a broken file: $got"
has '"severity": "error"' check.json
echo "all is well"
