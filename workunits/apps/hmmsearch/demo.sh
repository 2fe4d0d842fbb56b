#!/usr/bin/env bash
# demo.sh: Debian's hmmsearch, unmodified, over the protein sequence files of the package hmmer-examples, one work unit a file;
# every answer is compared with a run of the program itself. See ../demo.sh for what it needs.
set -euo pipefail
. "$(dirname "$0")/../demo.sh"
examples=/usr/share/doc/hmmer/examples
words=(--cpu 0 --noali -o /dev/null --tblout hits.tbl profiles.hmm)

prepare() { # the sequence files, unpacked, and all protein profiles in one file of one format
    local file
    mkdir "$demo_folder/in" "$demo_folder/direct"
    for file in "$examples"/tutorial/{7LESS_DROME,HBB_HUMAN,globins45.fa,globins4.sto,fn3.sto,Pkinase.sto} \
        "$examples"/testsuite/{Caudal_act,LuxC,Patched,RRM_1,SMC_N}.sto.gz "$examples"/testsuite/{XYPPX,20aa}.sto \
        "$examples"/testsuite/rndseq400-10.fa.gz "$examples"/easel/demotic/examples/example-single.fa.gz; do
        zcat -f "$file" >"$demo_folder/in/$(basename "${file%.gz}")"
    done
    for file in "$examples"/tutorial/{globins4,fn3,Pkinase}.hmm "$examples"/testsuite/XYPPX.hmm \
        "$examples"/testsuite/{Caudal_act,LuxC,Patched,RRM_1,SMC_N,20aa}.hmm.gz; do
        zcat -f "$file" >"$demo_folder/one.hmm"
        hmmconvert "$demo_folder/one.hmm"
    done >"$demo_folder/profiles.hmm"
}

check() { # file by file against the program itself, without the comments: they hold the date
    local file name answer equal=0
    for file in "$demo_folder"/in/*; do
        name=$(basename "$file")
        (cd "$demo_folder/direct" && cp "$file" ../profiles.hmm . && hmmsearch "${words[@]}" "$name")
        answer=$demo_folder/results/$name/hits.tbl
        cmp <(grep -v '^#' "$demo_folder/direct/hits.tbl") <(grep -v '^#' "$answer")
        equal=$((equal + 1))
    done
    echo "$equal files, each answer equal to a direct run"
}

prepare
demo_publish hmmsearch "$(command -v hmmsearch)" --output hits.tbl \
    --compare "validator:$DUGNAD_APPS/same-lines --comment # hits.tbl"
demo_run hmmsearch --name "profiles over hmmer-examples" --input "$demo_folder/profiles.hmm" \
    --each-file "$demo_folder/in/*" -- "${words[@]}" {}
demo_fetch --name '{}/{path}'
check
demo_figures hmmsearch
