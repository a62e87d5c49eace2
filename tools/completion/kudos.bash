# SPDX-License-Identifier: MIT
# Completion for bash: the programs know their words themselves (PROGRAM --complete WORD...).
# shellcheck shell=bash
_kudos() {
	local line words=()
	# Not COMP_WORDS: bash parts words at the colons of an endpoint.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
	[[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		'<file>')
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$2")
			;;
		'<folder>')
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$2")
			;;
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$1" --complete "${words[@]:1}" 2>/dev/null)
}
complete -F _kudos kudos kudos-cluster kudos-export kudos-gateway kudos-import kudos-leader kudos-load kudos-server
