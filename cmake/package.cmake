# cpack -G DEB in a build folder that was configured by the `package` preset.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lab)
set(CPACK_PACKAGE_VENDOR "lab")
set(CPACK_PACKAGE_CONTACT "lab maintainers <maintainers@lab.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "find out why a TCP connection died after its handshake")
set(CPACK_PACKAGE_DESCRIPTION "Reproduces the ways in which TCP connections die right after their handshake
in a network namespace, watches from every side that the kernel offers, and
says from evidence alone who ended the connection, and how sure that is. It
also runs programs of your own, with a firewall of your own around them.
Nothing on the host is changed.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libnftables1)      # opened by dlopen, so no dependency of the binary names it
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS python3)        # some scenarios run a Python program
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/packaging/postinst ${CMAKE_SOURCE_DIR}/packaging/prerm ${CMAKE_SOURCE_DIR}/packaging/postrm)

# What Debian wants of every package.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  find_program(LAB_GZIP gzip REQUIRED)
  execute_process(COMMAND ${LAB_GZIP} -9nc ${CMAKE_SOURCE_DIR}/packaging/changelog
    OUTPUT_FILE ${CMAKE_BINARY_DIR}/share/made/changelog.gz COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${CMAKE_BINARY_DIR}/share/made/changelog.gz packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
include(CPack)
