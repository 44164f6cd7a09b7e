# namid_unity(TARGET [FILES_EACH]): compiles a target's sources a few at a time, folder by folder, which
# pays the parse of torch's headers once a group: a whole build takes less than half the time. Names in
# unnamed namespaces must therefore differ within a folder. The dev preset compiles file by file, where
# changing one file is quicker and each file shows that it stands alone.
option(NAMID_UNITY "compile sources in groups" OFF)

function(namid_unity target)
  if(NOT NAMID_UNITY)
    return()
  endif()
  set(files_each 6)
  if(ARGN)
    list(GET ARGN 0 files_each)
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "[.]cpp$")
  list(SORT sources)
  foreach(source ${sources})
    get_filename_component(folder ${source} DIRECTORY)
    get_filename_component(folder "${folder}" NAME)
    if(NOT DEFINED count_${folder})
      set(count_${folder} 0)
    endif()
    math(EXPR group "${count_${folder}} / ${files_each}")
    math(EXPR count_${folder} "${count_${folder}} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
