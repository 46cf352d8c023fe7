# comodal_install_completions(): the installed program writes the completions that bash and zsh read. Where it cannot run, as when
# it is built for another machine, there are none.
function(comodal_install_completions)
  install(CODE "
    set(root \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
    foreach(shell_file bash:${CMAKE_INSTALL_DATADIR}/bash-completion/completions/comodal zsh:${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_comodal)
      string(REGEX MATCH \"^[a-z]+\" shell \"\${shell_file}\")
      string(REGEX REPLACE \"^[a-z]+:\" \"\" file \"\${shell_file}\")
      execute_process(COMMAND \"\${root}/${CMAKE_INSTALL_BINDIR}/comodal\" completion \${shell} RESULT_VARIABLE status OUTPUT_VARIABLE words ERROR_QUIET)
      if(status EQUAL 0)
        message(STATUS \"Installing: \${root}/\${file}\")
        file(WRITE \"\${root}/\${file}\" \"\${words}\")
        list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${CMAKE_INSTALL_PREFIX}/\${file}\")
      endif()
    endforeach()")
endfunction()
