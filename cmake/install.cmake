# cmake --install: the program, its catalogue and cause pages under share/lab, man pages and completion where shells look.
# PREFIX/bin/lab finds PREFIX/share/lab from its own path, so a prefix can be moved.
include(GNUInstallDirs)
set(data ${CMAKE_INSTALL_DATADIR}/lab)

# A build tree outside of the source tree has the same data beside the program.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/lab)
foreach(folder scenarios rules)
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${CMAKE_BINARY_DIR}/share/lab/${folder} SYMBOLIC)
endforeach()
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/docs/causes ${CMAKE_BINARY_DIR}/share/lab/causes SYMBOLIC)

install(TARGETS lab_program RUNTIME)
install(DIRECTORY scenarios rules DESTINATION ${data} USE_SOURCE_PERMISSIONS PATTERN __pycache__ EXCLUDE)
install(DIRECTORY docs/causes DESTINATION ${data})
install(FILES packaging/apparmor DESTINATION ${data})
file(GLOB guides CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
install(FILES README.md ${guides} DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(made ${CMAKE_BINARY_DIR}/share/made)
file(MAKE_DIRECTORY ${made})
set(products "")

# The program tells its own completion.
set(shell_bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions lab)
set(shell_zsh ${CMAKE_INSTALL_DATADIR}/zsh/site-functions _lab)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(shell_zsh ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions _lab)   # where Debian's zsh looks below /usr
endif()
set(shell_fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d lab.fish)
foreach(shell bash zsh fish)
  list(GET shell_${shell} 0 folder)
  list(GET shell_${shell} 1 name)
  add_custom_command(OUTPUT ${made}/completion.${shell} VERBATIM DEPENDS lab_program
    COMMAND lab_program completion ${shell} > ${made}/completion.${shell})
  list(APPEND products ${made}/completion.${shell})
  install(FILES ${made}/completion.${shell} DESTINATION ${folder} RENAME ${name})
endforeach()

# Man pages need scdoc; without it there are none.
find_program(LAB_SCDOC scdoc)
if(LAB_SCDOC)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.scd)
  foreach(page ${pages})
    get_filename_component(name ${page} NAME_WLE)
    string(REGEX REPLACE ".*\\." "" section ${name})
    add_custom_command(OUTPUT ${made}/${name}.gz VERBATIM DEPENDS ${page}
      COMMAND sh -c "exec \"$0\" < \"$1\" | gzip -9n > \"$2\"" ${LAB_SCDOC} ${page} ${made}/${name}.gz)
    list(APPEND products ${made}/${name}.gz)
    install(FILES ${made}/${name}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endforeach()
endif()
add_custom_target(lab_extras ALL DEPENDS ${products})
