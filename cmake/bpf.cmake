# The kernel collector's BPF object: compiled by clang for target bpf, embedded by the assembler (kernel_object.cpp).
# Where something is missing the collector is built all the same and says so: LAB_BPF_MISSING is the reason.
function(lab_bpf target)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/evidence/collectors)
  if(LAB_BPF)
    pkg_check_modules(LIBBPF IMPORTED_TARGET libbpf>=0.8)
    find_program(LAB_BPF_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14)
    find_program(LAB_BPF_STRIP NAMES llvm-strip llvm-strip-19 llvm-strip-18 llvm-strip-17 llvm-strip-16 llvm-strip-15 llvm-strip-14)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(arch x86)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(arch arm64)
  endif()
  set(missing "")
  if(NOT LAB_BPF)
    set(missing "built without BPF (LAB_BPF=OFF)")
  elseif(NOT LIBBPF_FOUND)
    set(missing "built without BPF (no libbpf)")
  elseif(NOT LAB_BPF_CLANG)
    set(missing "built without BPF (no clang)")
  elseif(NOT arch)
    set(missing "built without BPF (not written for ${CMAKE_SYSTEM_PROCESSOR})")
  endif()
  if(missing)
    message(STATUS "Kernel evidence: ${missing}")
    target_compile_definitions(${target} PRIVATE LAB_BPF_MISSING="${missing}")
    return()
  endif()

  lab_link_archives(LIBBPF bpf/libbpf.h "libbpf_major_version() + libbpf_get_error(bpf_object__open_mem(nullptr, 0, nullptr))")
  set(object ${CMAKE_CURRENT_BINARY_DIR}/lab.bpf.o)
  file(GLOB headers CONFIGURE_DEPENDS ${folder}/bpf/*.h)
  set(multiarch "")
  if(CMAKE_C_LIBRARY_ARCHITECTURE)
    set(multiarch -idirafter /usr/include/${CMAKE_C_LIBRARY_ARCHITECTURE})   # <asm/types.h>
  endif()
  set(strip "")
  if(LAB_BPF_STRIP)
    set(strip COMMAND ${LAB_BPF_STRIP} -g ${object})   # DWARF only: BTF stays
  endif()
  get_target_property(inside PkgConfig::LIBBPF INTERFACE_INCLUDE_DIRECTORIES)
  set(includes "")
  foreach(dir ${inside})
    if(dir)
      list(APPEND includes -I${dir})
    endif()
  endforeach()
  add_custom_command(OUTPUT ${object} ${object}.sha256
    COMMAND ${LAB_BPF_CLANG} -O2 -g -Wall -Wextra -Werror -target bpf -D__TARGET_ARCH_${arch} ${includes} ${multiarch}
            -c ${folder}/bpf/lab.bpf.c -o ${object}
    ${strip}
    COMMAND ${CMAKE_COMMAND} -E sha256sum ${object} > ${object}.sha256
    DEPENDS ${folder}/bpf/lab.bpf.c ${folder}/kernel_raw.h ${folder}/syscalls_judge.h ${headers}
    COMMENT "Building BPF object lab.bpf.o" VERBATIM)
  set_property(SOURCE ${folder}/kernel_object.cpp APPEND PROPERTY OBJECT_DEPENDS ${object})
  set_property(SOURCE ${folder}/kernel_object.cpp APPEND PROPERTY COMPILE_DEFINITIONS LAB_BPF_OBJECT="${object}")
  target_link_libraries(${target} PUBLIC PkgConfig::LIBBPF)
endfunction()
