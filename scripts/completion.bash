# SPDX-License-Identifier: GPL-2.0-only
#
# bash completion for lkvm.  What there is to complete it takes from lkvm's own help,
# each time, so that it knows what the lkvm in use knows.  Needs bash-completion.

# The form of the value of option $1, as "off|falloc|full", from $help; "" for a flag.
_lkvm_form() {
	awk -v option="$1" '/^  (-., |    )--[a-z-]+ [^ ]/ {
		name = $1 ~ /,$/ ? 2 : 1
		if ($name == option || $1 == option ",")
			print $(name + 1)
	}' <<< "$help"
}

_lkvm_options() {
	COMPREPLY=($(compgen -W "$(sed -nE 's/^  (-., |    )(--[a-z-]+).*/\2/p' <<< "$help")" -- "$cur"))
}

# The keys of a list, as "queues=N" lines: those in the form $1 "N[,dedicated=on]", or
# in $help if it has "KEY=VALUE".
_lkvm_keys() {
	if [[ $1 == *KEY=VALUE* ]]; then
		sed -nE 's/^ {2,6}([a-z-]+=[^ ]+).*/\1/p' <<< "$help"
	else
		grep -oE '[a-z-]+=[^],[]+' <<< "$1"
	fi
}

# The words among "a|b|NUMBER".
_lkvm_choices() {
	tr '|' '\n' <<< "$1" | grep -vE '[A-Z]'
}

# $cur is "FIRST,KEY=VALUE,...": completes the last of these by the form $1.
_lkvm_list() {
	local keys last=${cur##*,} given=",$cur" key
	local head=${cur%"$last"}

	keys=$(_lkvm_keys "$1")
	compopt -o nospace
	if [[ $last == *=* ]]; then
		key=$(grep -m 1 "^${last%%=*}=" <<< "$keys")
		COMPREPLY=($(compgen -P "$head${last%%=*}=" -W "$(_lkvm_choices "${key#*=}")" -- "${last#*=}"))
	else
		for key in ${keys//=*([^[:space:]])/}; do
			[[ $given == *,$key[=,]* ]] || COMPREPLY+=($(compgen -W "$head$key=" -- "$cur"))
		done
	fi
}

# A value by its form $1.
_lkvm_value() {
	local bare=${cur//,,/}	# a comma in a path is written twice

	if [[ $bare == *,* && $1 == *[[,]*=* ]]; then
		_lkvm_list "$1"
	elif [[ $1 == PATH* ]]; then
		_filedir
		[[ $1 != *,* ]] || compopt -o nospace
		[[ -n ${COMPREPLY[*]} || -z $cur || null: != "$cur"* ]] || COMPREPLY=(null:)
	elif [[ $1 == FILE* || $1 == DIR* ]]; then
		_filedir
	elif [[ $1 == *file:PATH* && $cur == file:* ]]; then
		cur=${cur#file:}
		_filedir
	elif [[ $1 == *'|'* ]]; then
		COMPREPLY=($(compgen -W "$(_lkvm_choices "${1/file:PATH/file:}")" -- "$cur"))
		[[ ${COMPREPLY[*]} != *: ]] || compopt -o nospace
	fi
}

# An argument that belongs to no option, by the usage in $help.
_lkvm_argument() {
	local usage

	usage=$(sed -E '1!d; s/\[--.*//; s/--[a-z-]+[ =][^ ]+//g' <<< "$help")
	if [[ $usage == *' NAME'* && $cword -eq 2 ]]; then
		COMPREPLY=($(compgen -W "$("$1" list 2> /dev/null | awk 'NR > 1 { print $1 }')" -- "$cur"))
	elif [[ $usage == *' NAME DISK'* && $cword -eq 3 ]]; then
		COMPREPLY=($(compgen -W "$("$1" list 2> /dev/null | awk -v name="$prev" '$1 == name { gsub(",", " ", $7); print $7 }')" -- "$cur"))
	elif [[ $usage == *' [COMMAND]' ]]; then
		COMPREPLY=($(compgen -W "$(_lkvm_commands "$1")" -- "$cur"))
	elif [[ $usage == *KEY=VALUE* ]]; then
		_lkvm_list KEY=VALUE
	elif [[ $usage == *@(PATH|FILE|DIR)* ]]; then
		_filedir
	else
		_lkvm_options
	fi
}

# readline replaces only what is behind the last = or : of the word.
_lkvm_trim() {
	local break head=

	for break in = :; do
		if [[ $COMP_WORDBREAKS == *$break* && $cur == *$break* ]]; then
			break=${cur%"${cur##*"$break"}"}
			((${#break} <= ${#head})) || head=$break
		fi
	done
	COMPREPLY=("${COMPREPLY[@]#"$head"}")
}

_lkvm_commands() {
	"$1" help 2> /dev/null | sed -n 's/^  \([a-z-]*\)  .*/\1/p'
}

_lkvm() {
	local cur prev words cword split help form

	_init_completion -s -n : || return
	if ((cword == 1)); then
		COMPREPLY=($(compgen -W "$(_lkvm_commands "$1") --help --version" -- "$cur"))
		return
	fi
	help=$("$1" "${words[1]}" --help 2> /dev/null) || return
	form=$([[ $prev != -* ]] || _lkvm_form "$prev")
	if [[ " ${words[*]:2:cword-2} " == *' -- '* ]]; then
		_filedir
	elif [[ -n $form ]]; then
		_lkvm_value "$form"
	elif [[ $cur == -* ]]; then
		_lkvm_options
	else
		_lkvm_argument "$1"
	fi
	_lkvm_trim
}

complete -F _lkvm lkvm
