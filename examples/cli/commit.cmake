# Writes FILE with COMMIT, if one is given, or else with the commit of the sources in SOURCE, with -changed behind it
# where files differ from it; an empty one where git does not know. Leaves FILE as it is where nothing changed.
set(commit "${COMMIT}")
if(NOT commit MATCHES "^[A-Za-z0-9._-]*$")
  message(FATAL_ERROR " comodal: COMODAL_COMMIT is '${commit}'; expected letters, digits, '.', '_' and '-', "
    "as git rev-parse --short=12 HEAD prints")
endif()
find_program(git git)
if(git AND commit STREQUAL "")
  # Copied into a repository of somebody's, the sources are at another place in it.
  execute_process(COMMAND ${git} -C ${SOURCE} rev-parse --show-prefix
    OUTPUT_VARIABLE place OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(place STREQUAL "examples/cli/")
    execute_process(COMMAND ${git} -C ${SOURCE} rev-parse --short=12 HEAD
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  if(commit)
    execute_process(COMMAND ${git} -C ${SOURCE} status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(changes)
      string(APPEND commit "-changed")
    endif()
  endif()
endif()
set(words "// Written by commit.cmake.\n#define COMODAL_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${FILE})
  file(READ ${FILE} before)
endif()
if(NOT before STREQUAL words)
  file(WRITE ${FILE} "${words}")
endif()
