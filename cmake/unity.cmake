# namid_unity(TARGET): compiles a target's sources six at a time, folder by folder, which pays for torch's
# headers and templates once a group. Names in unnamed namespaces must therefore differ within a folder.
# The dev preset compiles file by file, where changing one file is quicker and each file shows that it
# stands alone.
option(NAMID_UNITY "compile sources in groups" OFF)

function(namid_unity target)
  if(NOT NAMID_UNITY)
    return()
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
    math(EXPR group "${count_${folder}} / 6")
    math(EXPR count_${folder} "${count_${folder}} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
